package io.sparkclassify.plans

import scala.annotation.tailrec

import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.inference.{ImageInference, NeededImage}
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
 * A call of which only a branch of an expression makes use gets the condition of that branch with its input, see
 * [[Needs]]. Of several calls of one model over one input, any may need a row.
 *
 * What stays where it is, to be evaluated row by row: a call over columns of both sides of a join, over the variable of
 * a lambda function or a column of an outer query, or over something random.
 */
object ExtractInferences extends Rule[LogicalPlan] with PredicateHelper with AliasHelper {

  /** A run of a model: its input, canonicalized, and how it is made. */
  private type Run = (Expression, ClassifySpec)

  /** Inferences, canonicalized, with the attributes that hold their results. */
  private type Results = Map[Expression, Attribute]

  /** Inferences, canonicalized, with the condition under which a row needs them, see [[Needs]]. */
  private type Wanted = Map[Expression, Expression]

  /** A plan whose output is that of the original one, then `results`. */
  private final case class Extracted(plan: LogicalPlan, results: Results)

  override def apply(pinned: LogicalPlan): LogicalPlan = {
    val plan = PinInferences.undo(pinned)
    if (plan.exists(calls(_).nonEmpty)) {
      val complete = PullOverAggregates(intoBranches(plan))
      val extracted = extract(serveSubqueries(complete), wanted = Map.empty).plan
      ShuffleBeforeRerun(PushLimits(extracted))
    } else plan
  }

  /** The inferences in the expressions of this node that an operator below it could run. */
  private def calls(plan: LogicalPlan): Seq[ImageInference] = plan match {
    case _: ClassifyImages => Nil
    // Spark itself makes plans of their conditions later, over the table alone.
    case _: RowLevelWrite => Nil
    case _                => plan.expressions.flatMap(calls)
  }

  private def calls(expression: Expression): Seq[ImageInference] =
    expression.collect { case call: ImageInference if movable(call) => call }

  /** What calls with the same one differ in is only what they show of one run of a model over one input. */
  private def runOf(call: ImageInference): Run = (call.child.canonicalized, call.spec)

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
   *   the inferences that operators above use, whose results are let through where that is possible
   */
  private def extract(plan: LogicalPlan, wanted: Wanted): Extracted = plan match {
    case _ if !plan.exists(node => calls(node).nonEmpty || wanted.nonEmpty && node.isInstanceOf[ClassifyImages]) =>
      Extracted(plan, Map.empty)
    case Filter(condition, child) if contains(condition) =>
      extractFrom(stages(condition).foldLeft(child)((filtered, stage) => Filter(stage, filtered)), wanted)
    case _ => extractFrom(plan, wanted)
  }

  /**
   * Splits a condition into filters, of which each spares the inferences of the next one rows: first what needs no
   * inference, then a filter for each conjunct with others than those before it.
   */
  private def stages(condition: Expression): Seq[Expression] = {
    // What follows a random conjunct must see the rows that it sees now.
    val (candidates, fixed) = splitConjunctivePredicates(condition).span(isOfRow)
    val (inferring, cheap) = candidates.partition(contains)
    val inOrder = inferring.foldLeft(Seq.empty[(Set[Run], Expression)]) { case (filters, conjunct) =>
      val runs = calls(conjunct).map(runOf).toSet
      val known = filters.scanLeft(Set.empty[Run])(_ ++ _._1).tail
      known.indexWhere(runs.subsetOf) match {
        case -1 => filters :+ (runs -> conjunct)
        case at => filters.updated(at, filters(at)._1 -> And(filters(at)._2, conjunct))
      }
    }
    (cheap.reduceLeftOption(And) ++ inOrder.map(_._2) ++ fixed.reduceLeftOption(And)).toSeq
  }

  /** Whether its value depends on the row alone. The file that the row came from does. */
  private def isOfRow(expression: Expression): Boolean = expression.transform {
    case file @ (_: InputFileName | _: InputFileBlockStart | _: InputFileBlockLength) => Literal.default(file.dataType)
  }.deterministic

  private def extractFrom(plan: LogicalPlan, wanted: Wanted): Extracted = {
    val (complete, all) = served(plan, wanted)
    // A join has results of its own, which are not those of the rows that it fills up with NULLs.
    def passes(result: Attribute) = !complete.isInstanceOf[Join] || complete.children.forall { child =>
      lets(complete, child) || !child.outputSet.contains(result)
    }
    handOn(
      complete,
      plan.output,
      wanted.keys.flatMap(call => all.get(below(plan, call).canonicalized).filter(passes).map(call -> _)).toMap
    )
  }

  /**
   * The plan above what runs its inferences, and all results that it has below it. Its output may have more columns.
   */
  private def served(plan: LogicalPlan, wanted: Wanted): (LogicalPlan, Results) = {
    val own = calls(plan).groupBy(runOf).flatMap { case (run, same) =>
      val need = needOf(plan, run, condition => !infers(condition))
      same.map(call => (call.canonicalized: Expression) -> need)
    }
    val above = wanted.map { case (call, need) => below(plan, call).canonicalized -> below(plan, need) }
    val children = plan.children.map(child => extract(child, if (lets(plan, child)) either(own, above) else own))
    val there = plan match {
      // Of a subquery, which has been through this rule before.
      case ClassifyImages(inferences, results, _) => inferences.map(_.canonicalized).zip(results)
      case _                                      => Nil
    }
    val results = children.flatMap(_.results).toMap ++ there
    addOperators(useResults(withChildren(plan, children.map(_.plan)), results), results, above)
  }

  private def either(own: Wanted, above: Wanted): Wanted =
    above ++ own.map { case (call, need) => call -> above.get(call).fold(need)(Needs.either(need, _)) }

  /**
   * Moves calls from a projection to the operator above it, where this uses their columns in some branches only. Spark
   * does so itself with a column that has one use.
   */
  private def intoBranches(plan: LogicalPlan): LogicalPlan = plan.transformUp {
    case above @ (_: Project | _: Aggregate) =>
      above.children.head match {
        case Project(columns, _) => columns.collect { case alias: Alias => alias }.foldLeft(above)(intoBranches)
        case _                   => above
      }
  }

  private def intoBranches(above: LogicalPlan, column: Alias): LogicalPlan = (column.child, above.children.head) match {
    case (View(call), Project(columns, child)) if movable(call) && !above.outputSet.contains(column.toAttribute) =>
      val moved = above.transformExpressions { case use: Attribute if use.exprId == column.exprId => column.child }
      val (inputs, kept) = (call.references, columns.filterNot(_.exprId == column.exprId))
      val renewed = kept.exists(other => other.isInstanceOf[Alias] && inputs.contains(other.toAttribute))
      val need = needOf(moved, runOf(call), condition => !infers(condition))
      if (renewed || need == Needs.Always || need == Needs.Never) above
      else moved.withNewChildren(Seq(Project(kept ++ (inputs -- AttributeSet(kept.map(_.toAttribute))), child)))
    case _ => above
  }

  /** A call, or functions of its result alone. */
  private object View {
    @tailrec
    def unapply(expression: Expression): Option[ImageInference] = expression match {
      case call: ImageInference   => Some(call)
      case unary: UnaryExpression => unapply(unary.child)
      case _                      => None
    }
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
    served(Filter(conditions.reduce(And), plan), wanted = Map.empty)._1 match {
      case Filter(condition, inner) => (splitConjunctivePredicates(condition), inner)
      case _                        => (conditions, plan)
    }

  /** An expression in terms of what is below `plan`, where a projection gives columns new names. */
  private def below(plan: LogicalPlan, expression: Expression): Expression = plan match {
    case project: Project => replaceAlias(expression, getAliasMap(project))
    case _                => expression
  }

  private def useResults(plan: LogicalPlan, results: Results): LogicalPlan = plan match {
    case _: ClassifyImages    => plan
    case _ if results.isEmpty => plan
    case _ => plan.transformExpressions { case call: ImageInference => results.getOrElse(call.canonicalized, call) }
  }

  /**
   * Puts [[ClassifyImages]] between the plan and its children, until no expression has a call that a child could serve.
   * That takes several rounds where the result of one inference is the input of another, or decides whether it is
   * needed.
   */
  @tailrec
  private def addOperators(plan: LogicalPlan, known: Results, wanted: Wanted): (LogicalPlan, Results) = {
    val different = inOrder(calls(plan).filterNot(call => infers(call.child)))(_.canonicalized).map(_.head)
    val runs = inOrder(different)(runOf)
    val extended = plan.children.map { child =>
      val servable = runs.filter(_.head.references.subsetOf(child.outputSet))
      val calls =
        ready(plan, child, servable.map(withOthers(_, if (lets(plan, child)) wanted else Map.empty, known)), wanted)
      // One operator for each input: calls with the same one share its reading.
      val groups = inOrder(calls) { case (_, needed) =>
        (needed.child.canonicalized, needed.spec.images, needed.spec.hadoop)
      }
      groups.foldLeft(Extracted(child, Map.empty)) { (below, group) =>
        val results = group.map { case (_, needed) =>
          AttributeReference("inference", needed.dataType, needed.nullable)()
        }
        Extracted(
          put(group.map(_._2), results, below.plan),
          below.results ++ group.map(_._1.canonicalized).zip(results)
        )
      }
    }
    val added = extended.flatMap(_.results).toMap
    if (added.isEmpty) (plan, known)
    else addOperators(useResults(withChildren(plan, extended.map(_.plan)), added), known ++ added, wanted)
  }

  /**
   * Calls of one run, and after them what operators above use of it: showing more of a run costs little, and a run of
   * their own, of the rows that are left there, as much as this one.
   */
  private def withOthers(calls: Seq[ImageInference], wanted: Wanted, known: Results): Seq[ImageInference] = {
    val shown = calls.map(_.shape)
    calls ++ wanted.keys.collect {
      case other: ImageInference
          if runOf(other) == runOf(calls.head) && !shown.contains(other.shape) && !known.contains(other) =>
        calls.head.copy(shape = other.shape)
    }
  }

  /** Groups, and the elements of each, in the order of the elements. */
  private def inOrder[A, K](elements: Seq[A])(key: A => K): Seq[Seq[A]] =
    elements.map(key).distinct.map(same => elements.filter(key(_) == same))

  /**
   * Those of the calls that can be made next, each with the one to be made: over the images of the rows that need it.
   * It is another's turn first where its result decides that; where two wait for each other, one has not to.
   */
  private def ready(
      plan: LogicalPlan,
      child: LogicalPlan,
      runs: Seq[Seq[ImageInference]],
      wanted: Wanted
  ): Seq[(ImageInference, ImageInference)] = {
    def need(calls: Seq[ImageInference], mayInfer: Boolean): Expression = {
      val available = place(calls.head.references, child).outputSet
      def usable(condition: Expression) =
        condition.references.subsetOf(available) && (mayInfer || !infers(condition))
      val own = needOf(plan, runOf(calls.head), usable)
      val others = calls.flatMap(call => wanted.get(call.canonicalized)).map { need =>
        if (Needs.isCheap(need) && need.references.subsetOf(available) && !infers(need)) need else Needs.Always
      }
      others.foldLeft(own)(Needs.either)
    }
    val needs = runs.map(calls => calls -> need(calls, mayInfer = true))
    val (waiting, decided) = needs.partition { case (_, need) => infers(need) }
    val next = if (decided.nonEmpty) decided
    else waiting.take(1).map { case (calls, _) => calls -> need(calls, mayInfer = false) }
    next.flatMap { case (calls, need) =>
      calls.map(call => call -> (if (need == Needs.Always) call else call.copy(child = NeededImage(call.child, need))))
    }
  }

  private def infers(expression: Expression): Boolean = expression.exists(_.isInstanceOf[ImageInference])

  private def needOf(plan: LogicalPlan, run: Run, usable: Expression => Boolean): Expression = {
    def isCall(call: ImageInference) = movable(call) && runOf(call) == run
    def mayDecide(call: ImageInference) = movable(call) && !isCall(call)
    new Needs(
      isCall,
      condition =>
        Needs.isCheap(condition) && usable(condition) && condition.collect { case call: ImageInference => call }.forall(
          mayDecide
        )
    ).of(plan)
  }

  /** What an inference over these columns goes over, below what makes several rows of the one with the image. */
  @tailrec
  private def place(columns: AttributeSet, plan: LogicalPlan): LogicalPlan = below(columns, plan) match {
    case Some((child, _)) => place(columns, child)
    case None             => plan
  }

  private def put(calls: Seq[ImageInference], results: Seq[Attribute], plan: LogicalPlan): LogicalPlan =
    below(AttributeSet(calls.flatMap(_.references)), plan) match {
      case Some((child, withChild)) => withChild(put(calls, results, child))
      case None                     => ClassifyImages(calls, results, plan)
    }

  /** The child of an operator that multiplies its rows, where it has these columns, and how to replace it. */
  private def below(columns: AttributeSet, plan: LogicalPlan): Option[(LogicalPlan, LogicalPlan => LogicalPlan)] = {
    def fits(child: LogicalPlan) = columns.subsetOf(child.outputSet)
    plan match {
      case generate: Generate if fits(generate.child) =>
        Some((generate.child, child => withChildren(generate, Seq(child))))
      // What a correlated subquery is joined with, until Spark makes it a join.
      case domain @ DomainJoin(_, child, Inner, None) if fits(child) =>
        Some((child, inner => domain.copy(child = inner)))
      case join @ Join(left, right, _: InnerLike, None, _) if fits(left) != fits(right) =>
        if (fits(left)) Some((left, child => join.copy(left = child)))
        else Some((right, child => join.copy(right = child)))
      case _ => None
    }
  }

  /** The plan over others. A generator knows the columns that it leaves out by their positions. */
  private def withChildren(plan: LogicalPlan, children: Seq[LogicalPlan]): LogicalPlan = plan match {
    case generate: Generate =>
      val leftOut = AttributeSet(generate.unrequiredChildIndex.map(generate.child.output))
      val columns = children.head.output
      generate.copy(
        child = children.head,
        unrequiredChildIndex = columns.indices.filter(index => leftOut.contains(columns(index)))
      )
    case _ => plan.withNewChildren(children)
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
