"""What `zoo.training.fit` is made of: the state file and the Keras callbacks, each usable alone."""
