"""What a data set promises, and what of it is on the disk."""

from zoo.datasets.listing.listing import ALL, DatasetWarning, Facts, Listing, settle

__all__ = ["ALL", "DatasetWarning", "Facts", "Listing", "settle"]
