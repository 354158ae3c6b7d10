package io.sparkclassify.natives;

/**
 * Loads a backend out of the jar in this JVM, opens a model, which runs it once, and prints what both say.
 *
 * <p>Arguments: the backend, the model, a folder to unpack into, and that of libtorch.
 */
public final class LoadNatives {
  public static void main(String[] arguments) {
    NativeOptions options = new NativeOptions(arguments[2], arguments[3], null, null);
    NativeEngine engine = NativeLoader.load(arguments[0], options);
    long model = engine.openModel("{\"directory\": \"" + arguments[1] + "\"}");
    System.out.println(System.getProperty("os.arch"));
    System.out.println(engine.engineInfo());
    System.out.println(engine.describeModel(model));
    engine.closeModel(model);
  }
}
