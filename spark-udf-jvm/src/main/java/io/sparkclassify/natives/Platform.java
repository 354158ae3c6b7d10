package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The platforms that there are native libraries for, and what a machine lacks that cannot take
 * them. {@code docs/natives.md} says why these.
 */
final class Platform {
  private static final String SUPPORTED =
      "supported is Linux on x86_64 and aarch64, with glibc 2.28 or later (RHEL 8, Debian 10,"
          + " Ubuntu 20.04 and whatever is newer)";

  private static final Map<String, String> ARCHITECTURES =
      Map.of("amd64", "x86_64", "x86_64", "x86_64", "aarch64", "aarch64", "arm64", "aarch64");

  /** What x86-64-v2 adds to x86-64, by the names that Linux has for it. */
  private static final List<String> X86_64_V2 =
      List.of("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3");

  private static final Pattern PROCESSOR_FLAGS = Pattern.compile("(?m)^flags\\s*:(.*)$");

  /** What glibc's linker says of a library that wants a newer one than there is. */
  private static final Pattern MISSING_VERSION =
      Pattern.compile("version [`']((GLIBC|GLIBCXX|CXXABI)_[0-9.]+)' not found");

  private Platform() {}

  /** The resource folder of this JVM's platform, which can use it: {@code native/linux-x86_64}. */
  static String resourceFolder() {
    String folder =
        resourceFolder(
            System.getProperty("os.name"),
            System.getProperty("os.arch"),
            textOf("/proc/self/maps"));
    if (folder.endsWith("x86_64")) {
      requireProcessor(textOf("/proc/cpuinfo"));
    }
    return folder;
  }

  /**
   * @param mapped what is mapped into the process, as in {@code /proc/self/maps}: whether its C
   *     library is musl
   */
  static String resourceFolder(String system, String architecture, String mapped) {
    String known = ARCHITECTURES.get(architecture);
    if (!system.equals("Linux") || known == null) {
      throw Unavailable.because(
          "there is no native library for "
              + system
              + " on "
              + architecture
              + ": "
              + SUPPORTED
              + ". Run Spark in a container or virtual machine of such a Linux.");
    }
    if (mapped.contains("/ld-musl-")) {
      throw Unavailable.because(
          "there is no native library for musl, the C library of this Linux (Alpine): "
              + SUPPORTED
              + ". Take an image with glibc, such as Spark's own.");
    }
    return "native/linux-" + known;
  }

  /**
   * An instruction that a processor lacks ends the JVM, and libtorch has no convolutions for one
   * without SSE 4.1.
   *
   * @param processors as in {@code /proc/cpuinfo}; where it has no flags, nothing is known
   */
  static void requireProcessor(String processors) {
    Matcher flags = PROCESSOR_FLAGS.matcher(processors);
    if (flags.find()) {
      TreeSet<String> missing = new TreeSet<>(X86_64_V2);
      Arrays.asList(flags.group(1).trim().split("\\s+")).forEach(missing::remove);
      if (!missing.isEmpty()) {
        throw Unavailable.because(
            "this processor, or what the virtual machine shows of it, lacks "
                + String.join(", ", missing)
                + ": the engines need x86-64-v2, which is Intel's since 2009 and AMD's since 2011."
                + " A virtual machine shows it with the processor's own model (QEMU: -cpu host).");
      }
    }
  }

  /** What an older system than the libraries were made for lacks, if the linker says so. */
  static Optional<String> olderSystem(UnsatisfiedLinkError failure) {
    Matcher missing = MISSING_VERSION.matcher(String.valueOf(failure.getMessage()));
    if (!missing.find()) {
      return Optional.empty();
    }
    String library = missing.group(2).equals("GLIBC") ? "glibc" : "libstdc++";
    return Optional.of(
        "this system's "
            + library
            + " is too old, it has no "
            + missing.group(1)
            + "; "
            + SUPPORTED
            + ". Move the executors to such a system, or to an image of one.");
  }

  private static String textOf(String file) {
    try {
      // A mapped file may be called anything.
      return Files.readString(Path.of(file), StandardCharsets.ISO_8859_1);
    } catch (IOException unreadable) {
      return "";
    }
  }
}
