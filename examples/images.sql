-- The committed dataset as a view: one row an image, with the class that it really has.
-- The other examples begin with it, and so do `make spark-sql`, `make pyspark` and `make spark-shell`.

SET spark.classify.model=model;

CREATE OR REPLACE TEMPORARY VIEW image_data
USING csv OPTIONS (path 'dataset/image_data.csv', header true);

CREATE OR REPLACE TEMPORARY VIEW images AS
SELECT concat('dataset/all_images/', image_path) AS path, actual_class, CAST(actual_class_id AS INT) AS actual_class_id
FROM image_data;
