package io.sparkclassify.natives;

import java.util.ArrayList;
import java.util.List;

/** Where libtorch has been looked for in vain. */
final class Tried {
  private final List<String> places = new ArrayList<>();
  private Exception noAnswer;

  /** Adds a place, with what is wrong there. */
  void add(String place) {
    places.add(place);
  }

  /** Adds one that has not answered, so that nobody knows what is there. */
  void add(String place, Exception noAnswer) {
    add(place);
    this.noAnswer = noAnswer;
  }

  /** Why a place has not answered, or null when all have. */
  Exception noAnswer() {
    return noAnswer;
  }

  @Override
  public String toString() {
    return String.join("; ", places);
  }
}
