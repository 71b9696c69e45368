"""Linear classifiers on frozen features: softmax, linear SVM and independent sigmoids."""
