package io.sparkclassify.natives;

/** The platforms that the jar has native libraries for. */
final class Platform {
  private static final String LINUX_X86_64 = "linux-x86_64";

  private Platform() {}

  /** The resource folder of this JVM's platform: {@code native/linux-x86_64}. */
  static String resourceFolder() {
    return resourceFolder(System.getProperty("os.name"), System.getProperty("os.arch"));
  }

  static String resourceFolder(String system, String architecture) {
    if (system.equals("Linux") && (architecture.equals("amd64") || architecture.equals("x86_64"))) {
      return "native/" + LINUX_X86_64;
    }
    throw Unavailable.because(
        "no native library for " + system + " on " + architecture + "; supported: " + LINUX_X86_64);
  }
}
