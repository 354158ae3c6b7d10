import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import sbt.internal.inc.FileAnalysisStore;
import sbt.internal.inc.PlainVirtualFileConverter;
import sbt.internal.inc.ScalaInstance;
import sbt.internal.inc.Stamps;
import sbt.internal.inc.ZincUtil;
import sbt.internal.inc.classpath.ClasspathUtil;
import xsbti.Logger;
import xsbti.VirtualFile;
import xsbti.compile.AnalysisContents;
import xsbti.compile.AnalysisStore;
import xsbti.compile.ClasspathOptionsUtil;
import xsbti.compile.CompileAnalysis;
import xsbti.compile.CompileOptions;
import xsbti.compile.CompileOrder;
import xsbti.compile.CompileResult;
import xsbti.compile.CompilerCache;
import xsbti.compile.DefinesClass;
import xsbti.compile.IncOptions;
import xsbti.compile.Inputs;
import xsbti.compile.PerClasspathEntryLookup;
import xsbti.compile.PreviousResult;
import xsbti.compile.Setup;

/**
 * Compiles Scala sources again that a change concerns, and no others, by Zinc, sbt's incremental
 * compiler.
 *
 * <p>{@code java -cp ZINC CompileScala.java @FILE}: the lines of the file are the analysis to read
 * and write, the folder of the classes, the compiler's bridge, the class path, the analyses of
 * folders on it as {@code FOLDER=ANALYSIS}, joined by colons, the jars of the Scala compiler, the
 * number of options, the options, and the sources.
 */
@SuppressWarnings({"unchecked", "rawtypes"})
public final class CompileScala {

  private static final Logger LOG =
      new Logger() {
        @Override
        public void error(Supplier<String> message) {
          System.err.println(message.get());
        }

        @Override
        public void warn(Supplier<String> message) {
          System.err.println(message.get());
        }

        @Override
        public void info(Supplier<String> message) {}

        @Override
        public void debug(Supplier<String> message) {}

        @Override
        public void trace(Supplier<Throwable> exception) {}
      };

  public static void main(String[] arguments) throws Exception {
    List<String> lines = Files.readAllLines(Path.of(arguments[0]));
    Path analysisFile = Path.of(lines.get(0));
    Path classes = Path.of(lines.get(1));
    Path bridge = Path.of(lines.get(2));
    // With what is compiled already, for the sources that are compiled again.
    List<Path> classPath = new ArrayList<>(List.of(classes));
    classPath.addAll(paths(lines.get(3)));
    List<String> others =
        Stream.of(lines.get(4).split(":")).filter(pair -> !pair.isEmpty()).toList();
    List<Path> compilerJars = paths(lines.get(5));
    int options = Integer.parseInt(lines.get(6));
    List<String> scalacOptions = lines.subList(7, 7 + options);
    List<Path> sources = lines.subList(7 + options, lines.size()).stream().map(Path::of).toList();

    var converter = PlainVirtualFileConverter.converter();
    var stamps = Stamps.timeWrapBinaryStamps(converter);
    var store = AnalysisStore.getCachedStore(FileAnalysisStore.binary(analysisFile.toFile()));
    Optional<AnalysisContents> previous = store.get();

    var library =
        compilerJars.stream()
            .filter(jar -> jar.getFileName().toString().startsWith("scala-library"))
            .toList();
    var loader =
        ClasspathUtil.toLoader(sequence(compilerJars), ClassLoader.getPlatformClassLoader());
    var instance =
        new ScalaInstance(
            version(library.get(0)),
            loader,
            loader,
            ClasspathUtil.toLoader(sequence(library), ClassLoader.getPlatformClassLoader()),
            files(library),
            files(compilerJars),
            files(compilerJars),
            scala.Option.empty());
    var scalac = ZincUtil.scalaCompiler(instance, bridge);
    var compilers =
        ZincUtil.compilers(instance, ClasspathOptionsUtil.boot(), scala.Option.empty(), scalac);
    var compileOptions =
        CompileOptions.of(
            virtual(classPath),
            virtual(sources),
            classes,
            scalacOptions.toArray(String[]::new),
            new String[0],
            100,
            position -> position,
            CompileOrder.Mixed,
            Optional.empty(),
            Optional.of(converter),
            Optional.of(stamps),
            Optional.empty());
    PerClasspathEntryLookup lookup =
        new PerClasspathEntryLookup() {
          @Override
          public Optional<CompileAnalysis> analysis(VirtualFile entry) {
            return others.stream()
                .filter(pair -> Path.of(pair.split("=")[0]).equals(converter.toPath(entry)))
                .findAny()
                .flatMap(
                    pair -> FileAnalysisStore.binary(Path.of(pair.split("=")[1]).toFile()).get())
                .map(AnalysisContents::getAnalysis);
          }

          @Override
          public DefinesClass definesClass(VirtualFile entry) {
            return sbt.internal.inc.Locate.definesClass(entry);
          }
        };
    var setup =
        Setup.of(
            lookup,
            false,
            analysisFile,
            CompilerCache.fresh(),
            IncOptions.of(),
            new sbt.internal.inc.LoggedReporter(100, LOG, position -> position),
            Optional.empty(),
            new xsbti.T2[0]);
    var inputs =
        Inputs.of(
            compilers,
            compileOptions,
            setup,
            PreviousResult.of(
                previous.map(AnalysisContents::getAnalysis),
                previous.map(AnalysisContents::getMiniSetup)));
    try {
      CompileResult result = ZincUtil.defaultIncrementalCompiler().compile(inputs, LOG);
      if (result.hasModified()) {
        store.set(AnalysisContents.create(result.analysis(), result.setup()));
      }
    } catch (xsbti.CompileFailed failure) {
      System.exit(1);
    }
  }

  private static List<Path> paths(String joined) {
    List<Path> paths = new ArrayList<>();
    Arrays.stream(joined.split(":"))
        .filter(part -> !part.isEmpty())
        .forEach(part -> paths.add(Path.of(part)));
    return paths;
  }

  private static java.io.File[] files(List<Path> paths) {
    return paths.stream().map(Path::toFile).toArray(java.io.File[]::new);
  }

  private static VirtualFile[] virtual(List<Path> paths) {
    return paths.stream()
        .map(PlainVirtualFileConverter.converter()::toVirtualFile)
        .toArray(VirtualFile[]::new);
  }

  private static scala.collection.immutable.Seq<Path> sequence(List<Path> paths) {
    return scala.jdk.javaapi.CollectionConverters.asScala(paths).toSeq();
  }

  /** Of {@code scala-library-2.13.17.jar}, for one, 2.13.17. */
  private static String version(Path library) {
    return library.getFileName().toString().replaceAll("scala-library-|\\.jar", "");
  }
}
