package io.sparkclassify

import java.io.InputStream
import java.nio.file.Path
import java.util.jar.JarFile

import scala.collection.mutable

import org.apache.xbean.asm9.{ClassReader, ClassVisitor, FieldVisitor, Handle, Label, MethodVisitor, Opcodes, Type}
import org.scalatest.funsuite.AnyFunSuite

/**
 * One jar serves several releases of Spark. What its classes name of other jars has to be in the release that the tests
 * run on, also where no other test comes by; the JVM itself looks only when it executes the line.
 */
class LinkageSuite extends AnyFunSuite {

  import LinkageSuite._

  private val noDebug = ClassReader.SKIP_DEBUG | ClassReader.SKIP_FRAMES
  private val shapes = mutable.Map.empty[String, Option[Shape]]
  private val jar =
    new JarFile(Path.of(classOf[ClassifyExtensions].getProtectionDomain.getCodeSource.getLocation.toURI).toFile)

  private lazy val ownClasses: Seq[ClassReader] = {
    val readers = Seq.newBuilder[ClassReader]
    jar.stream().filter(_.getName.endsWith(".class")).forEach { entry =>
      readers += reading(jar.getInputStream(entry))(new ClassReader(_))
    }
    readers.result()
  }

  test("every class, method and field that the jar names is there") {
    val all = ownClasses.map(reader => reader.getClassName -> references(reader))
    // Not what only hands a call on, as the static methods do that an object has for Java.
    val named = all.flatMap(_._2).filter(reference => reference.member != reference.from).map(_.member).toSet
    val missing = for {
      (name, references) <- all
      reference <- references
      reason <- problem(reference) if !isUnusedForwarder(name, reference, named)
    } yield s"$name needs ${reference.owner}.${reference.member}: $reason"
    assert(ownClasses.length > 100)
    assert(missing.isEmpty, missing.distinct.mkString("\n", "\n", ""))
  }

  test("the jar's classes implement all that their interfaces ask for") {
    val missing = for {
      reader <- ownClasses if (reader.getAccess & Opcodes.ACC_ABSTRACT) == 0
      inherited = lineage(reader.getClassName).flatMap(_.members)
      (member, all) <- inherited.groupBy(_._1)
      if all.forall { case (_, flags) => (flags & Opcodes.ACC_ABSTRACT) != 0 }
    } yield s"${reader.getClassName} has no $member"
    assert(missing.isEmpty, missing.mkString("\n", "\n", ""))
  }

  test("what is not there is found out") {
    val spark = "org/apache/spark/SparkContext"
    assert(problem(Reference(spark, "version()Ljava/lang/String;", isStatic = false)).isEmpty)
    assert(problem(Reference(spark, "getOrCreate()Lorg/apache/spark/SparkContext;", isStatic = true)).isEmpty)
    for (
      wrong <- Seq(
        Reference("org/apache/spark/NoSuchThing", "version()Ljava/lang/String;", isStatic = false),
        Reference(spark, "noSuchMethod()V", isStatic = false),
        Reference(spark, "version()I", isStatic = false),
        Reference(spark, "version()Ljava/lang/String;", isStatic = true)
      )
    ) assert(problem(wrong).nonEmpty, wrong)
  }

  /**
   * Whether it is a call that scalac has put into a class that mixes in a trait, so that the class has all the trait's
   * methods: `f(x)`, which calls the trait's static `f$(this, x)`. Where the trait has no such method, nobody calls it,
   * unless what is above the class knows it from elsewhere, or the jar names it.
   */
  private def isUnusedForwarder(name: String, reference: Reference, named: Set[String]): Boolean =
    reference.isStatic && reference.from == reference.member.replace(s"$$(L${reference.owner};", "(") &&
      !named(reference.from) && shape(name).exists(
        !_.parents.flatMap(lineage).exists(_.members.contains(reference.from))
      )

  private def problem(reference: Reference): Option[String] =
    if (shape(reference.owner).isEmpty) Some("no such class")
    else if (reference.member.isEmpty) None
    else
      lineage(reference.owner).flatMap(_.members.get(reference.member)).headOption match {
        case None => Some("no such member")
        case Some(flags) if ((flags & Opcodes.ACC_STATIC) != 0) != reference.isStatic =>
          Some("static or not has changed")
        case _ => None
      }

  /** A class and all above it, the nearest first. */
  private def lineage(name: String): Seq[Shape] =
    shape(name).toSeq.flatMap(own => own +: own.parents.flatMap(lineage))

  private def shape(name: String): Option[Shape] = shapes.getOrElseUpdate(
    name,
    Option(ClassLoader.getSystemResourceAsStream(s"$name.class")).map { stream =>
      val reader = reading(stream)(new ClassReader(_))
      val members = Map.newBuilder[String, Int]
      val visitor = new MemberVisitor {
        def method(flags: Int, name: String, descriptor: String): MethodVisitor = {
          members += (name + descriptor) -> flags
          null
        }
        def field(flags: Int, name: String, descriptor: String): Unit = members += s"$name:$descriptor" -> flags
      }
      reader.accept(visitor, noDebug | ClassReader.SKIP_CODE)
      Shape(reader.getAccess, Option(reader.getSuperName).toSeq ++ reader.getInterfaces, members.result())
    }
  )

  /** What a class names of others, but for the JDK's, which `--release` fixes when it is compiled. */
  private def references(reader: ClassReader): Seq[Reference] = {
    val found = mutable.LinkedHashSet.empty[Reference]
    var from = ""
    def named(owner: String): Unit = add(owner, "", isStatic = false)
    def add(owner: String, member: String, isStatic: Boolean): Unit =
      if (!owner.startsWith("[") && !owner.startsWith("java/")) found += Reference(owner, member, isStatic, from)
    def types(all: Type*): Unit = all.foreach { one =>
      one.getSort match {
        case Type.ARRAY  => types(one.getElementType)
        case Type.OBJECT => named(one.getInternalName)
        case Type.METHOD => types(one.getArgumentTypes.toSeq :+ one.getReturnType: _*)
        case _           =>
      }
    }
    def constant(value: AnyRef): Unit = value match {
      case one: Type => types(one)
      case handle: Handle if handle.getTag <= Opcodes.H_PUTSTATIC =>
        add(handle.getOwner, s"${handle.getName}:${handle.getDesc}", isStatic = handle.getTag % 2 == 0)
      case handle: Handle =>
        add(handle.getOwner, handle.getName + handle.getDesc, isStatic = handle.getTag == Opcodes.H_INVOKESTATIC)
      case _ =>
    }
    val code = new MethodVisitor(Opcodes.ASM9) {
      override def visitTypeInsn(opcode: Int, name: String): Unit = types(Type.getObjectType(name))
      override def visitLdcInsn(value: AnyRef): Unit = constant(value)
      override def visitTryCatchBlock(start: Label, end: Label, handler: Label, caught: String): Unit =
        Option(caught).foreach(named)
      override def visitFieldInsn(opcode: Int, owner: String, name: String, descriptor: String): Unit = {
        add(owner, s"$name:$descriptor", isStatic = opcode == Opcodes.GETSTATIC || opcode == Opcodes.PUTSTATIC)
        types(Type.getType(descriptor))
      }
      override def visitMethodInsn(
          opcode: Int,
          owner: String,
          name: String,
          descriptor: String,
          isInterface: Boolean
      ): Unit = {
        add(owner, name + descriptor, isStatic = opcode == Opcodes.INVOKESTATIC)
        types(Type.getMethodType(descriptor))
      }
      override def visitInvokeDynamicInsn(
          name: String,
          descriptor: String,
          bootstrap: Handle,
          arguments: AnyRef*
      ): Unit = (bootstrap +: arguments).foreach(constant)
    }
    val visitor = new MemberVisitor {
      def method(flags: Int, name: String, descriptor: String): MethodVisitor = {
        from = name + descriptor
        types(Type.getMethodType(descriptor))
        code
      }
      def field(flags: Int, name: String, descriptor: String): Unit = types(Type.getType(descriptor))
    }
    (Option(reader.getSuperName) ++ reader.getInterfaces).foreach(named)
    reader.accept(visitor, noDebug)
    found.toSeq
  }

  private def reading[T](stream: InputStream)(read: InputStream => T): T =
    try read(stream)
    finally stream.close()
}

private object LinkageSuite {

  /** Visits the members of a class, without what linking does not look at. */
  abstract class MemberVisitor extends ClassVisitor(Opcodes.ASM9) {
    def method(flags: Int, name: String, descriptor: String): MethodVisitor
    def field(flags: Int, name: String, descriptor: String): Unit

    override def visitMethod(
        flags: Int,
        name: String,
        descriptor: String,
        signature: String,
        exceptions: Array[String]
    ): MethodVisitor = method(flags, name, descriptor)

    override def visitField(
        flags: Int,
        name: String,
        descriptor: String,
        signature: String,
        value: AnyRef
    ): FieldVisitor = {
      field(flags, name, descriptor)
      null
    }
  }

  /** A class as linking needs it: its flags, what is above it, and the flags of its members by signature. */
  final case class Shape(flags: Int, parents: Seq[String], members: Map[String, Int])

  /** A class that is named, or a member of it, by which method. */
  final case class Reference(owner: String, member: String, isStatic: Boolean, from: String = "")
}
