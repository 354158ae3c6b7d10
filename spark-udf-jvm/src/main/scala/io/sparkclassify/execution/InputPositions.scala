package io.sparkclassify.execution

import io.sparkclassify.inference.InputPosition

/**
 * Hides from the operators above that rows are taken from the one below before they are needed.
 *
 * Expressions like `input_file_name()` ask where in its input the thread is, and believe that to be where the row came
 * from that they are evaluated for. So the thread has two positions here: one while rows are taken from below, and one
 * that follows the rows as they are handed on. A row moves the second one only as it moved the first, because there may
 * be others in the task that read files.
 */
private[sparkclassify] final class InputPositions {

  private var below = InputPosition.current()
  private var above = below

  /** Runs `take`, which takes rows from the operator below, where that operator is in its input. */
  def takeAhead(take: => Unit): Unit = {
    val outside = InputPosition.current()
    below.restore()
    try take
    finally {
      below = below.next()
      outside.restore()
    }
  }

  /** Where the row came from that has just been taken. */
  def ofTaken(): InputPosition = {
    below = below.next()
    below
  }

  /** The row that came from there is about to be handed on. */
  def handOn(position: InputPosition): Unit = if (position ne above) {
    position.restore()
    above = position
  }

  /** All rows have been handed on. */
  def end(): Unit = handOn(below)
}
