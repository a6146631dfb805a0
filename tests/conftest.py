"""Fixtures that every room of tests may use."""

pytest_plugins = ["tests.support.etcd", "tests.support.postgres", "tests.support.contract"]
