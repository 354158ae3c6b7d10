package io.sparkclassify.plans

import scala.annotation.tailrec

import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.plans._
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Moves every inference out of the expressions of a plan into [[ClassifyImages]] below the operator that uses it.
 *
 * It runs after filters have been pushed down and before joins are reordered. By then the optimizer has copied a call
 * to each place that uses its result, so the rule looks for equal calls along the way up and lets the first result pass
 * through to all of them:
 *
 * {{{
 *   Project [classify(path).class]                       Project [r.class]
 *   +- Filter (path LIKE ..                              +- Filter (r.confidence > 0.9)
 *         AND classify(path).confidence > 0.9)    =>        +- ClassifyImages [classify(path) AS r]
 *      +- Relation [path]                                      +- Filter (path LIKE ..)
 *                                                                 +- Relation [path]
 * }}}
 *
 * What stays where it is, to be evaluated row by row: a call over columns of both sides of a join, over the variable of
 * a lambda function or a column of an outer query, or over something random.
 */
object ExtractInferences extends Rule[LogicalPlan] with PredicateHelper with AliasHelper {

  /** Inferences, canonicalized, with the attributes that hold their results. */
  private type Results = Map[Expression, Attribute]

  /** A plan whose output is that of the original one, then `results`. */
  private final case class Extracted(plan: LogicalPlan, results: Results)

  override def apply(pinned: LogicalPlan): LogicalPlan = {
    val plan = PinInferences.undo(pinned)
    if (plan.exists(calls(_).nonEmpty)) {
      val extracted = extract(serveSubqueries(PullOverAggregates(plan)), wanted = Set.empty).plan
      ShuffleBeforeRerun(PushLimits(extracted))
    } else plan
  }

  /** The inferences in the expressions of this node that an operator below it could run. */
  private def calls(plan: LogicalPlan): Seq[ImageInference] = plan match {
    case _: ClassifyImages => Nil
    case _                 => plan.expressions.flatMap(_.collect { case call: ImageInference if movable(call) => call })
  }

  private def movable(call: ImageInference): Boolean = call.deterministic && !call.exists {
    case _: NamedLambdaVariable | _: OuterReference => true
    case _                                          => false
  }

  private def contains(expression: Expression): Boolean = expression.exists {
    case call: ImageInference => movable(call)
    case _                    => false
  }

  /**
   * @param wanted
   *   the inferences (canonicalized) that operators above use, whose results are let through where that is possible
   */
  private def extract(plan: LogicalPlan, wanted: Set[Expression]): Extracted = plan match {
    case _ if !plan.exists(node => calls(node).nonEmpty || wanted.nonEmpty && node.isInstanceOf[ClassifyImages]) =>
      Extracted(plan, Map.empty)
    case Filter(condition, child) =>
      split(condition) match {
        case (Some(first), Some(rest)) => extractFrom(Filter(rest, Filter(first, child)), wanted)
        case _                         => extractFrom(plan, wanted)
      }
    case _ => extractFrom(plan, wanted)
  }

  /** Splits a condition into what needs no inference and may run first, and the rest. */
  private def split(condition: Expression): (Option[Expression], Option[Expression]) = {
    // What follows a random conjunct must see the rows that it sees now.
    val (candidates, fixed) = splitConjunctivePredicates(condition).span(isOfRow)
    val (inferring, cheap) = candidates.partition(contains)
    if (inferring.isEmpty && !fixed.exists(contains)) (None, Some(condition))
    else (cheap.reduceLeftOption(And), (inferring ++ fixed).reduceLeftOption(And))
  }

  /** Whether its value depends on the row alone. The file that the row came from does. */
  private def isOfRow(expression: Expression): Boolean = expression.transform {
    case file @ (_: InputFileName | _: InputFileBlockStart | _: InputFileBlockLength) => Literal.default(file.dataType)
  }.deterministic

  private def extractFrom(plan: LogicalPlan, wanted: Set[Expression]): Extracted = {
    val (complete, all) = served(plan, wanted)
    handOn(complete, plan.output, wanted.flatMap(call => all.get(below(plan, call)).map(call -> _)).toMap)
  }

  /**
   * The plan above what runs its inferences, and all results that it has below it. Its output may have more columns.
   */
  private def served(plan: LogicalPlan, wanted: Set[Expression]): (LogicalPlan, Results) = {
    val own = calls(plan).map(_.canonicalized).toSet[Expression]
    val children =
      plan.children.map(child => extract(child, if (lets(plan, child)) wanted.map(below(plan, _)) ++ own else own))
    val there = plan match {
      // Of a subquery, which has been through this rule before.
      case ClassifyImages(inferences, results, _) => inferences.map(_.canonicalized).zip(results)
      case _                                      => Nil
    }
    val results = children.flatMap(_.results).toMap ++ there
    addOperators(useResults(plan.withNewChildren(children.map(_.plan)), results), results)
  }

  /**
   * Moves inferences over what a subquery puts out into its plan. Spark makes joins of `EXISTS` and `IN` only later;
   * until then conditions that compare both sides are part of the expression.
   */
  private def serveSubqueries(plan: LogicalPlan): LogicalPlan = plan.transformAllExpressions {
    case exists: Exists if infers(exists.joinCond, exists.plan) =>
      val (condition, inner) = serve(exists.joinCond, exists.plan)
      exists.copy(plan = inner, joinCond = condition)
    case list: ListQuery if infers(list.joinCond, list.plan) =>
      val (condition, inner) = serve(list.joinCond, list.plan)
      list.copy(plan = inner, joinCond = condition)
  }

  private def infers(conditions: Seq[Expression], plan: LogicalPlan): Boolean = conditions.exists(_.exists {
    case call: ImageInference => movable(call) && call.references.subsetOf(plan.outputSet)
    case _                    => false
  })

  /** The conditions over the results of inferences, and the plan with these results after its output. */
  private def serve(conditions: Seq[Expression], plan: LogicalPlan): (Seq[Expression], LogicalPlan) =
    served(Filter(conditions.reduce(And), plan), wanted = Set.empty)._1 match {
      case Filter(condition, inner) => (splitConjunctivePredicates(condition), inner)
      case _                        => (conditions, plan)
    }

  /** A wanted inference in terms of what is below `plan`, where a projection gives columns new names. */
  private def below(plan: LogicalPlan, call: Expression): Expression = plan match {
    case project: Project => replaceAlias(call, getAliasMap(project)).canonicalized
    case _                => call
  }

  private def useResults(plan: LogicalPlan, results: Results): LogicalPlan = plan match {
    case _: ClassifyImages    => plan
    case _ if results.isEmpty => plan
    case _ => plan.transformExpressions { case call: ImageInference => results.getOrElse(call.canonicalized, call) }
  }

  /**
   * Puts [[ClassifyImages]] between the plan and its children, until no expression has a call that a child could serve.
   * That takes several rounds where the result of one inference is the input of another.
   */
  @tailrec
  private def addOperators(plan: LogicalPlan, known: Results): (LogicalPlan, Results) = {
    val ready = calls(plan).filterNot(_.child.exists(_.isInstanceOf[ImageInference])).distinctBy(_.canonicalized)
    val extended = plan.children.map { child =>
      val servable = ready.filter(call => call.references.subsetOf(child.outputSet))
      // One operator for each input: calls with the same one share its reading.
      val groups = servable.groupBy(call => (call.child.canonicalized, call.spec.images, call.spec.hadoop)).values.toSeq
      groups.sortBy(group => ready.indexOf(group.head)).foldLeft(Extracted(child, Map.empty)) { (below, group) =>
        val results = group.map(call => AttributeReference("inference", call.dataType, call.nullable)())
        Extracted(
          put(group, results, below.plan),
          below.results ++ group.map(_.canonicalized).zip(results)
        )
      }
    }
    val added = extended.flatMap(_.results).toMap
    if (added.isEmpty) (plan, known)
    else addOperators(useResults(plan.withNewChildren(extended.map(_.plan)), added), known ++ added)
  }

  /** Puts [[ClassifyImages]] over the plan, or below it where it makes several rows of the one with the image. */
  private def put(calls: Seq[ImageInference], results: Seq[Attribute], plan: LogicalPlan): LogicalPlan = {
    def fits(child: LogicalPlan) = calls.forall(_.references.subsetOf(child.outputSet))
    def sink(child: LogicalPlan) = put(calls, results, child)
    plan match {
      case generate: Generate if fits(generate.child) => generate.copy(child = sink(generate.child))
      // What a correlated subquery is joined with, until Spark makes it a join.
      case domain @ DomainJoin(_, child, Inner, None) if fits(child) => domain.copy(child = sink(child))
      case join @ Join(left, right, _: InnerLike, None, _) if fits(left) != fits(right) =>
        if (fits(left)) join.copy(left = sink(left)) else join.copy(right = sink(right))
      case _ => ClassifyImages(calls, results, plan)
    }
  }

  /**
   * Whether results that `child` adds to its output pass through `plan` to the operators above it, and there still are
   * the inference over the same row.
   */
  private def lets(plan: LogicalPlan, child: LogicalPlan): Boolean = plan match {
    case _: Project | _: Filter | _: Sort | _: Window | _: Generate | _: ClassifyImages   => true
    case _: GlobalLimit | _: LocalLimit | _: Offset | _: Sample | _: RepartitionOperation => true
    // A side that outer joins fill up with NULLs is out: the result would be NULL where the call need not be.
    case Join(left, right, joinType, _, _) =>
      joinType match {
        case _: InnerLike                                       => true
        case LeftOuter | LeftSemi | LeftAnti | ExistenceJoin(_) => child eq left
        case RightOuter                                         => child eq right
        case _                                                  => false
      }
    case _ => false
  }

  /** The plan with the original output, and after it those results of `passing` that it can show. */
  private def handOn(plan: LogicalPlan, output: Seq[Attribute], passing: Results): Extracted = plan match {
    case Project(list, child) =>
      val shown = passing.filter { case (_, result) => child.outputSet.contains(result) }
      Extracted(Project(list ++ shown.values, child), shown)
    case _ =>
      val shown = passing.filter { case (_, result) => plan.outputSet.contains(result) }
      val columns = output ++ shown.values
      if (plan.output == columns) Extracted(plan, shown) else Extracted(Project(columns, plan), shown)
  }
}
