"""The RMDN paper's action recognition with a linear classifier (appendix A)."""
