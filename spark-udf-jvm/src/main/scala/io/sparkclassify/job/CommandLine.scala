package io.sparkclassify.job

import org.apache.spark.unsafe.types.UTF8String

/**
 * An option of a command line.
 *
 * @param name
 *   with its two dashes
 * @param value
 *   what its value is called in the help; None for an option that takes none
 * @param choices
 *   the values that it may have; all where there are none
 */
private[sparkclassify] final case class CliOption(
    name: String,
    value: Option[String],
    help: String,
    default: Option[String] = None,
    choices: Seq[String] = Nil
) {

  /** As the help has it: `--model DIR`. */
  def written: String = (name +: value.toSeq).mkString(" ")

  /** What it does, with its default. */
  def explained: String = help + default.fold("")(value => s" (default: $value)")
}

/**
 * A command line in the habits of Python's argparse: `--name VALUE` or `--name=VALUE`, flags, groups of options, and a
 * help that is printed from the same table.
 *
 * @param groups
 *   the options, by the headings of the help
 */
private[sparkclassify] final class CommandLine(
    program: String,
    description: String,
    groups: Seq[(String, Seq[CliOption])],
    epilogue: String
) {
  import CommandLine._

  val options: Seq[CliOption] = groups.flatMap(_._2)
  private val byName = options.map(option => option.name -> option).toMap

  /** The options that are given, with their values (those of flags are empty), or what is wrong with them. */
  def parse(arguments: Seq[String]): Either[String, Map[String, String]] = parse(arguments.toList, Map.empty)

  @scala.annotation.tailrec
  private def parse(arguments: List[String], chosen: Map[String, String]): Either[String, Map[String, String]] =
    arguments match {
      case Nil => Right(chosen)
      case first :: rest =>
        val (name, attached) = first match {
          case Assignment(name, value) => (name, Some(value))
          case name                    => (name, None)
        }
        byName.get(name) match {
          case None                                                      => Left(unknown(first, name))
          case Some(_) if chosen.contains(name)                          => Left(s"$name is given twice")
          case Some(option) if option.value.isEmpty && attached.nonEmpty => Left(s"$name takes no value")
          case Some(option) if option.value.isEmpty                      => parse(rest, chosen + (name -> ""))
          case Some(option) =>
            val (value, others) = if (attached.nonEmpty) (attached, rest) else (rest.headOption, rest.drop(1))
            value.filter(value => value.nonEmpty && (attached.nonEmpty || !value.startsWith("--"))) match {
              case None => Left(s"$name needs a value: ${option.written}")
              case Some(value) if option.choices.nonEmpty && !option.choices.contains(value.toLowerCase(Root)) =>
                Left(s"$name $value is unknown: choose from ${option.choices.mkString(", ")}")
              case Some(value) =>
                parse(others, chosen + (name -> (if (option.choices.isEmpty) value else value.toLowerCase(Root))))
            }
        }
    }

  private def unknown(argument: String, name: String): String = {
    val misspelt = UTF8String.fromString(name)
    def edits(known: String) = UTF8String.fromString(known).levenshteinDistance(misspelt)
    // What it begins, before what it resembles.
    val nearest = byName.keys.toSeq
      .filter(known => known.startsWith(name) || edits(known) <= name.length / 2)
      .sortBy(known => (!known.startsWith(name), edits(known), known))
      .headOption
    val hint =
      if (!name.startsWith("-")) ": all arguments begin with --"
      else nearest.fold("")(known => s": did you mean $known?")
    s"unknown argument $argument$hint"
  }

  /** What to type, without what it means. */
  def usage: String = wrapped(
    s"usage: $program" +: options.map(option => s"[${option.written}]"),
    "       "
  )

  def help: String = {
    val sections = groups.map { case (heading, options) =>
      s"$heading:\n" + options.map(entry).mkString("\n")
    }
    (Seq(usage, wrapped(description.split(' ').toSeq, "")) ++ sections :+ epilogue).mkString("\n\n")
  }

  private def entry(option: CliOption): String = {
    val indent = " " * HelpColumn
    val text = wrapped(option.explained.split(' ').toSeq, indent, indent)
    val name = s"  ${option.written}"
    if (name.length + 2 > HelpColumn) s"$name\n$text" else name.padTo(HelpColumn, ' ') + text.drop(HelpColumn)
  }
}

private[sparkclassify] object CommandLine {
  private val Root = java.util.Locale.ROOT
  private val Assignment = "(?s)(--[a-z-]+)=(.*)".r
  private val HelpColumn = 26
  private val Width = 100

  /** Lines of whole words; all but the first begin with `indent`. */
  private def wrapped(words: Seq[String], indent: String, first: String = ""): String = {
    val lines = words.foldLeft(Vector(first)) { (lines, word) =>
      val line = lines.last
      if (line.trim.isEmpty) lines.init :+ (line + word)
      else if (line.length + 1 + word.length > Width) lines :+ (indent + word)
      else lines.init :+ s"$line $word"
    }
    lines.mkString("\n")
  }
}
