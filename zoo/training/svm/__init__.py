"""The linear classifier of appendix A of the RMDN paper."""
