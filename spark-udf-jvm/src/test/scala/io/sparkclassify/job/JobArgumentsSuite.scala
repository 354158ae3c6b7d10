package io.sparkclassify.job

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.Files

import org.scalatest.funsuite.AnyFunSuite

class JobArgumentsSuite extends AnyFunSuite {
  private val complete = Seq("--images", "list.csv", "--image-dir", "images", "--model", "model")

  private def parsed(arguments: String*): JobArguments =
    JobArguments.parse(complete ++ arguments).fold(problem => fail(problem), identity)

  private def problem(arguments: Seq[String]): String = JobArguments.parse(arguments).left.getOrElse("none")

  test("arguments have defaults") {
    val columns = InputArguments.Columns("image_path", None, None, None)
    val input =
      InputArguments(InputArguments.Files("list.csv"), None, columns, Some("images"), labelFromFolder = false, None)
    val output = OutputArguments.Folder("output_predictions", "csv")
    assert(
      parsed() == JobArguments(
        input,
        "model",
        "pytorch",
        output,
        keepsBad = false,
        failsOnBad = false,
        partitions = None,
        report = None,
        baseline = None
      )
    )
  }

  test("arguments are written with a blank or an equals sign") {
    assert(parsed("--backend=ONNX", "--output", "out").backend == "onnx")
    assert(parsed("--output=--odd=name").output.name == "--odd=name")
    assert(parsed("--output-table", "a.b").output == OutputArguments.Table("a.b"))
    assert(parsed("--limit=3", "--partitions", "7").partitions.contains(7))
    assert(parsed("--fail-on-bad").keepsBad)
    val ofTable = JobArguments.parse(Seq("--table", "cards", "--model", "model"))
    assert(ofTable.map(_.input.source) == Right(InputArguments.Table("cards")))
    assert(JobArguments.parse(Seq("--images", "-", "--model", "m")).map(_.input.source.name) == Right("-"))
  }

  Seq(
    Seq("--model", "m") -> "missing --images SOURCE, or --table NAME",
    complete.dropRight(2) -> "missing --model DIR",
    (complete :+ "--imagez") -> "unknown argument --imagez: did you mean --images?",
    (complete :+ "--out=x") -> "unknown argument --out=x: did you mean --output?",
    (complete :+ "--zzzzzzzzzz") -> "unknown argument --zzzzzzzzzz",
    (complete :+ "list.csv") -> "unknown argument list.csv: all arguments begin with --",
    (complete :+ "--output") -> "--output needs a value: --output DIR",
    (complete ++ Seq("--output", "--backend", "onnx")) -> "--output needs a value: --output DIR",
    (complete :+ "--output=") -> "--output needs a value: --output DIR",
    (complete :+ "--try=yes") -> "--try takes no value",
    (complete ++ Seq("--model", "other")) -> "--model is given twice",
    (complete ++ Seq("--backend", "tensorflow")) ->
      "--backend tensorflow is unknown: choose from pytorch, onnx, auto",
    (complete ++ Seq("--table", "t")) -> "--images and --table exclude each other",
    (complete ++ Seq("--output", "o", "--output-table", "t")) -> "--output and --output-table exclude each other",
    (complete ++ Seq("--limit", "0")) -> "--limit 0 is no whole number above 0",
    (complete ++ Seq("--partitions", "many")) -> "--partitions many is no whole number above 0",
    (complete ++ Seq("--report", "report.json")) ->
      "--report report.json does not end in .html, after which the file beside it is called",
    (complete ++ Seq("--output", "out", "--report", "out/deep/report.html")) ->
      "--report out/deep/report.html lies in --output out, which is replaced as a whole: name another folder",
    (complete ++ Seq("--label-from-folder", "--label-id-column", "id")) ->
      "--label-from-folder and --label-id-column exclude each other",
    Seq("--images", "-", "--format", "csv", "--model", "m") ->
      "--images - is a list of paths, one a line, and no csv",
    (complete ++ Seq("--baseline", "report.json")) -> "--baseline goes with --report"
  ).foreach { case (arguments, expected) =>
    test(s"wrong arguments are named: ${arguments.mkString(" ")}")(assert(problem(arguments) == expected))
  }

  test("the help has every option, in lines that fit a terminal") {
    val help = JobArguments.commandLine.help
    JobArguments.commandLine.options.foreach(option => assert(help.contains(s"\n  ${option.written}"), option.name))
    assert(help.startsWith("usage: spark-submit --class io.sparkclassify.ClassifyJob JAR [--images SOURCE]"))
    assert(help.linesIterator.forall(_.length <= 100), help)
    assert(help.contains("\n  --limit N               classify no more than N images"), help)
    assert(help.contains("exit codes: 0 "))
  }

  test("docs/job.md is what the options say (gradle generatedPages writes it)") {
    assert(new String(Files.readAllBytes(JobPage.file), UTF_8) == JobPage.text)
  }

  test("there are parts of a batch for every core, and small ones") {
    assert(Partitions.number(66, 2, 32) == 4)
    assert(Partitions.number(3, 8, 32) == 3)
    assert(Partitions.number(0, 8, 32) == 1)
    assert(Partitions.number(1000, 2, 32) == 8)
    assert(Partitions.number(1000000, 8, 32) == 504)
  }
}
