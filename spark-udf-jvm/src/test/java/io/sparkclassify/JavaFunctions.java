package io.sparkclassify;

import static io.sparkclassify.functions.classify;
import static io.sparkclassify.functions.classify_info;
import static io.sparkclassify.functions.classify_topk;
import static io.sparkclassify.functions.embed_image;
import static io.sparkclassify.functions.image_hash;
import static io.sparkclassify.functions.try_classify;
import static io.sparkclassify.functions.try_embed_image;
import static io.sparkclassify.functions.try_image_hash;
import static org.apache.spark.sql.functions.col;

import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Calls every overload of the functions as Java does. */
public final class JavaFunctions {
  private JavaFunctions() {}

  /** Each call, by the SQL that means the same, over a column {@code path}. */
  public static Map<String, Column> calls(String model) {
    Column path = col("path");
    String named = ", 'onnx', '" + model + "')";
    Map<String, Column> calls = new LinkedHashMap<>();
    calls.put("classify(path)", classify(path));
    calls.put("classify(path, 'onnx')", classify(path, "onnx"));
    calls.put("classify(path" + named, classify(path, "onnx", model));
    calls.put("classify(path, NULL, '" + model + "')", classify(path, null, model));
    calls.put("try_classify(path)", try_classify(path));
    calls.put("try_classify(path, 'onnx')", try_classify(path, "onnx"));
    calls.put("try_classify(path" + named, try_classify(path, "onnx", model));
    calls.put("classify_topk(path, 2)", classify_topk(path, 2));
    calls.put("classify_topk(path, 2, 'onnx')", classify_topk(path, 2, "onnx"));
    calls.put("classify_topk(path, 2" + named, classify_topk(path, 2, "onnx", model));
    calls.put("embed_image(path)", embed_image(path));
    calls.put("embed_image(path, 'onnx')", embed_image(path, "onnx"));
    calls.put("embed_image(path" + named, embed_image(path, "onnx", model));
    calls.put("try_embed_image(path)", try_embed_image(path));
    calls.put("try_embed_image(path, 'onnx')", try_embed_image(path, "onnx"));
    calls.put("try_embed_image(path" + named, try_embed_image(path, "onnx", model));
    calls.put("image_hash(path)", image_hash(path));
    calls.put("try_image_hash(path)", try_image_hash(path));
    return calls;
  }

  /** The table function. */
  public static Dataset<Row> info(SparkSession spark) {
    return classify_info(spark);
  }
}
