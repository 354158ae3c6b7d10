import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/** Classifies the images of a folder from Java: {@code ClassifyImages FOLDER MODEL}. */
public final class ClassifyImages {
  public static void main(String[] arguments) {
    SparkSession spark = SparkSession.builder().appName("ClassifyImages").getOrCreate();
    spark.conf().set("spark.classify.model", arguments[1]);

    Dataset<Row> images = spark.read().format("binaryFile").load(arguments[0]);
    images
        .withColumn("c", functions.expr("try_classify(content)"))
        .selectExpr("c.class", "c.error IS NOT NULL AS bad")
        .groupBy("class", "bad")
        .count()
        .orderBy("class")
        .show(false);
    spark.stop();
  }
}
