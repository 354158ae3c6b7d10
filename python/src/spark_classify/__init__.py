"""Model directories for spark-classify: made by `spark-classify export`, explained by `spark-classify check`."""
