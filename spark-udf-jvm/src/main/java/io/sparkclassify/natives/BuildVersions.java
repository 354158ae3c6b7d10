package io.sparkclassify.natives;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** What this jar was built from, from the resource {@code version.properties}. */
public final class BuildVersions {
  private static final String RESOURCE = "/io/sparkclassify/version.properties";

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
    Properties properties = new Properties();
    try (InputStream resource = BuildVersions.class.getResourceAsStream(RESOURCE)) {
      if (resource == null) {
        throw Unavailable.because(
            "the jar has no " + RESOURCE + "; it was not built by this project's build");
      }
      properties.load(resource);
    } catch (IOException unreadable) {
      throw Unavailable.because("cannot read " + RESOURCE + " from the jar", unreadable);
    }
    return new BuildVersions(
        properties.getProperty("version"),
        Integer.parseInt(properties.getProperty("abi")),
        properties.getProperty("torch.version"));
  }
}
