"""One pass on several hosts: Ray carries the work and the captured tensors, this process says what is to be done."""
