package io.sparkclassify.natives;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** What this jar was built from, from the resources that the build writes. */
public final class BuildVersions {
  private static final String RESOURCE = "/io/sparkclassify/version.properties";
  private static final String HASHES = "/io/sparkclassify/natives.properties";

  private final String version;
  private final int abi;
  private final String torch;

  BuildVersions(String version, int abi, String torch) {
    this.version = version;
    this.abi = abi;
    this.torch = torch;
  }

  /** The project's version, which the native libraries must have too. */
  public String version() {
    return version;
  }

  /** The version of the contract with the native libraries. */
  int abi() {
    return abi;
  }

  /** The version of torch that the torch library was linked against. */
  String torch() {
    return torch;
  }

  /** Reads the resource. */
  public static BuildVersions read() {
    Properties properties = properties(RESOURCE);
    return new BuildVersions(
        properties.getProperty("version"),
        Integer.parseInt(properties.getProperty("abi")),
        properties.getProperty("torch.version"));
  }

  /**
   * The SHA-256, in hexadecimal digits, of a library that was built with this jar; null for any
   * other.
   *
   * @param resource {@code native/linux-x86_64/libonnxruntime.so}
   */
  static String nativeHash(String resource) {
    return properties(HASHES).getProperty(resource);
  }

  private static Properties properties(String name) {
    Properties properties = new Properties();
    try (InputStream resource = BuildVersions.class.getResourceAsStream(name)) {
      if (resource == null) {
        throw Unavailable.because(
            "the jar has no " + name + "; it was not built by this project's build");
      }
      properties.load(resource);
    } catch (IOException unreadable) {
      throw Unavailable.because("cannot read " + name + " from the jar", unreadable);
    }
    return properties;
  }
}
