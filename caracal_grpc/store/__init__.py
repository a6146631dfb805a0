"""Where state is kept: one port, etcd and memory behind it, and the mirror that answers reads."""
