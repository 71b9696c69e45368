"""Near-duplicates of transfer images in the ImageNet training set (ZF sect. 5.2, D29)."""
