package io.sparkclassify

import java.io.{ByteArrayInputStream, ByteArrayOutputStream, ObjectInputStream, ObjectOutputStream}
import java.nio.file.{Files, Paths}

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.ObjectMapper
import org.apache.spark.SparkThrowable
import org.scalatest.funsuite.AnyFunSuite

class ClassifyExceptionSuite extends AnyFunSuite {

  test("an error reads and answers like one of Spark's own") {
    val cause = new RuntimeException("behind it")
    val error: Throwable with SparkThrowable = new ClassifyException("CLASSIFY_BAD_MODEL", "no $1 in <model>", cause)
    assert(error.getMessage == "[CLASSIFY_BAD_MODEL] no $1 in <model>. SQLSTATE: F0000")
    assert(Condition.of(error) == "CLASSIFY_BAD_MODEL")
    assert(error.getSqlState == "F0000")
    assert(error.getMessageParameters == java.util.Map.of("message", "no $1 in <model>"))
    assert(error.getCause eq cause)
    // Spark's defaults look into Spark's own table of conditions; they must not fail for ours.
    assert(!error.isInternalError)
    assert(error.getQueryContext.isEmpty)
    classOf[SparkThrowable].getMethods.filter(_.getParameterCount == 0).foreach(_.invoke(error))
  }

  test("an error travels from executor to driver") {
    val bytes = new ByteArrayOutputStream
    new ObjectOutputStream(bytes).writeObject(new ClassifyException("CLASSIFY_BAD_IMAGE", "a.png"))
    val back = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray)).readObject()
    val error = back.asInstanceOf[ClassifyException]
    assert(error.getCondition == "CLASSIFY_BAD_IMAGE" && error.getReason == "a.png" && error.getSqlState == "22000")
  }

  test("a condition that is not in the table is an internal error") {
    assert(new ClassifyException("CLASSIFY_NONE", "x").getMessage == "[CLASSIFY_NONE] x. SQLSTATE: XX000")
  }

  test("the table has exactly the conditions that the sources use, each with a SQLSTATE") {
    val table = new ObjectMapper().readTree(getClass.getResourceAsStream("error-conditions.json"))
    val sources = Seq("rust-core", "spark-udf-jvm/src/main").flatMap { folder =>
      Files.walk(Paths.get(folder)).iterator.asScala.filter(_.toString.matches(".*\\.(rs|java|scala)")).map(
        Files.readString(_)
      )
    }
    val used = sources.flatMap("\"(CLASSIFY_[A-Z_]+)\"".r.findAllMatchIn(_).map(_.group(1))).toSet
    assert(table.fieldNames.asScala.toSet == used)
    used.foreach(condition => assert(table.get(condition).get("sqlState").asText.matches("[0-9A-Z]{5}")))
  }
}
