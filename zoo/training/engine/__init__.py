"""The parts of `zoo.training.fit`: a state file and Keras callbacks, each usable on its own."""
