package io.sparkclassify.natives

import java.util.concurrent.ConcurrentLinkedQueue

import scala.jdk.CollectionConverters._

import org.apache.logging.log4j.{Level, LogManager}
import org.apache.logging.log4j.core.{LogEvent, LoggerContext}
import org.apache.logging.log4j.core.appender.AbstractAppender
import org.apache.logging.log4j.core.config.{Configurator, Property}

/** What arrives in Spark's log. */
object CapturedLog {
  final case class Message(level: String, logger: String, message: String)

  /** The messages of at least INFO that arrive at `logger` and below it while `body` runs. */
  def of(logger: String)(body: => Unit): Seq[Message] = {
    val messages = new ConcurrentLinkedQueue[Message]
    val appender = new AbstractAppender("captured", null, null, false, Property.EMPTY_ARRAY) {
      override def append(event: LogEvent): Unit =
        messages.add(Message(event.getLevel.name, event.getLoggerName, event.getMessage.getFormattedMessage))
    }
    appender.start()
    val before = LogManager.getLogger(logger).getLevel
    Configurator.setLevel(logger, Level.INFO)
    val context = LogManager.getContext(false).asInstanceOf[LoggerContext]
    val config = context.getConfiguration.getLoggerConfig(logger)
    config.addAppender(appender, Level.INFO, null)
    try body
    finally {
      config.removeAppender(appender.getName)
      Configurator.setLevel(logger, before)
    }
    messages.asScala.toSeq
  }
}
