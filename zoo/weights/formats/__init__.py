"""Readers of weight file formats that work without the frameworks that wrote them."""
