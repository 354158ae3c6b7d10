package io.sparkclassify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * The error conditions of this project: message templates and SQLSTATEs, from the resource {@code
 * error-conditions.json}, which has the form of Spark's own. Its fields {@code meaning} and {@code
 * wayOut} are for docs/errors.md ({@code scripts/errors_page.py}).
 *
 * <p>It is read when an error is reported, so it never fails itself: what it does not know is an
 * internal error.
 */
public final class ErrorConditions {
  private static final String RESOURCE = "error-conditions.json";
  private static final String INTERNAL_ERROR_STATE = "XX000";

  private static volatile JsonNode conditions;

  private ErrorConditions() {}

  /** The SQLSTATE of a condition. */
  public static String sqlState(String condition) {
    return read().path(condition).path("sqlState").asText(INTERNAL_ERROR_STATE);
  }

  /** The message of a condition, with {@code <message>} in the place of its parameter. */
  public static String messageTemplate(String condition) {
    List<String> lines = new ArrayList<>();
    read().path(condition).path("message").forEach(line -> lines.add(line.asText()));
    return lines.isEmpty() ? "<message>" : String.join("\n", lines);
  }

  private static JsonNode read() {
    JsonNode known = conditions;
    if (known == null) {
      ObjectMapper json = new ObjectMapper();
      try (InputStream resource = ErrorConditions.class.getResourceAsStream(RESOURCE)) {
        known = resource == null ? json.createObjectNode() : json.readTree(resource);
      } catch (IOException unreadable) {
        known = json.createObjectNode();
      }
      conditions = known;
    }
    return known;
  }
}
