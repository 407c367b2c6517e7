"""What a data set should contain, and which part of it is on disk."""

from zoo.datasets.listing.listing import ALL, DatasetWarning, Facts, Listing, settle

__all__ = ["ALL", "DatasetWarning", "Facts", "Listing", "settle"]
