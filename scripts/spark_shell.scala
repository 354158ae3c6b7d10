// What `make spark-shell` begins with: the view `images`.
val statements = java.nio.file.Files.readString(java.nio.file.Paths.get("examples/images.sql")).split(";")
statements.filterNot(_.isBlank).foreach(spark.sql)
val images = spark.table("images")
println("""The dataset is the view and the frame `images`. For example:
    images.selectExpr("actual_class", "classify(path).class").show()""")
