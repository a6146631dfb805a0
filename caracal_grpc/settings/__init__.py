"""What commands beside etcd are told, checked as a whole: an unsafe combination refuses."""
