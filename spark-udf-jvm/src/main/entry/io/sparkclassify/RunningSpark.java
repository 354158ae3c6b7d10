package io.sparkclassify;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Spark that this jar is in, and whether the jar is made for it. Classes of Spark and Scala
 * differ between releases, and what links to others than it was compiled with fails in words that
 * say nothing of versions.
 */
final class RunningSpark {
  private static final Pattern MAJOR_MINOR = Pattern.compile("(\\d+)\\.(\\d+).*", Pattern.DOTALL);

  private final String spark;
  private final String scalaVersion;
  private final String javaVersion;
  private final int major;
  private final int minor;

  /**
   * @param spark its version; what a vendor appends to it counts for nothing
   * @param scalaVersion the version of its Scala
   * @param javaVersion of the specification of its Java: 1.8, 11, 17
   */
  RunningSpark(String spark, String scalaVersion, String javaVersion) {
    this.spark = spark;
    this.scalaVersion = scalaVersion;
    this.javaVersion = javaVersion;
    Matcher numbers = MAJOR_MINOR.matcher(spark);
    major = numbers.matches() ? Integer.parseInt(numbers.group(1)) : 0;
    minor = numbers.matches() ? Integer.parseInt(numbers.group(2)) : 0;
  }

  /**
   * Returns where this jar is made for this Spark.
   *
   * @throws UnsupportedOperationException where it is not, with what to take instead
   */
  static void check() {
    RunningSpark running =
        new RunningSpark(
            sparkVersion(),
            scala.util.Properties.versionNumberString(),
            System.getProperty("java.specification.version"));
    Properties jar = jarProperties();
    Logger log = LoggerFactory.getLogger(RunningSpark.class);
    String objection = running.objection(jar);
    if (objection != null) {
      log.error(objection);
      throw new UnsupportedOperationException(objection);
    }
    String doubt = running.doubt(jar);
    if (doubt != null) {
      log.warn(doubt);
    }
  }

  /**
   * Why a jar cannot run here, and what to take instead; null when it can.
   *
   * @param jar its {@code version.properties}
   */
  String objection(Properties jar) {
    String line = jar.getProperty("line");
    String release = jar.getProperty("java.release");
    if (!line.equals(fittingLine())) {
      return String.format(
          "%s is made for %s, and this is Spark %s with Scala %s: %s",
          named(jar),
          line.replaceFirst("spark(.*)_(.*)", "Spark $1 with Scala $2"),
          spark,
          scalaVersion,
          wayOut());
    }
    if (javaRelease() < Integer.parseInt(release)) {
      return String.format(
          "%s needs Java %s or newer, and this Spark runs on Java %s",
          named(jar), release, javaVersion);
    }
    return null;
  }

  /** What is to be said where this Spark is newer than all that a jar was tested with, or null. */
  String doubt(Properties jar) {
    RunningSpark newest =
        new RunningSpark(jar.getProperty("spark.newest"), scalaVersion, javaVersion);
    return major == newest.major && minor > newest.minor
        ? String.format(
            "%s was tested with Spark %s and older, and this is Spark %s",
            named(jar), newest.spark, spark)
        : null;
  }

  private String wayOut() {
    if (fittingLine() != null) {
      return "take " + artifact(fittingLine()) + " instead";
    }
    return major > 4
        ? "look for a newer release of spark-classify"
        : "there is no spark-classify for it, only for Spark 3.5 and 4";
  }

  /** The line of artifacts that is made for this Spark, or null. */
  private String fittingLine() {
    boolean is213 = scalaVersion.startsWith("2.13.");
    if (major == 4 && is213) {
      return "spark4_2.13";
    }
    if (major == 3 && minor == 5 && (is213 || scalaVersion.startsWith("2.12."))) {
      return is213 ? "spark3.5_2.13" : "spark3.5_2.12";
    }
    return null;
  }

  private int javaRelease() {
    return Integer.parseInt(javaVersion.replaceFirst("^1\\.", ""));
  }

  private static String named(Properties jar) {
    return artifact(jar.getProperty("line")) + " " + jar.getProperty("version");
  }

  private static String artifact(String line) {
    return "spark-classify-" + line;
  }

  /** {@code org.apache.spark.SPARK_VERSION}, in a package object that Java has no name for. */
  private static String sparkVersion() {
    try {
      Class<?> constants = Class.forName("org.apache.spark.package");
      return (String) constants.getMethod("SPARK_VERSION").invoke(null);
    } catch (ReflectiveOperationException untold) {
      throw new UnsupportedOperationException("Spark does not tell its version", untold);
    }
  }

  private static Properties jarProperties() {
    Properties properties = new Properties();
    try (InputStream resource = RunningSpark.class.getResourceAsStream("version.properties")) {
      properties.load(resource);
    } catch (IOException unreadable) {
      throw new UnsupportedOperationException("version.properties in the jar", unreadable);
    }
    return properties;
  }
}
