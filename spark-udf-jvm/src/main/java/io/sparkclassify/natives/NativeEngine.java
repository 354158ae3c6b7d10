package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The native methods of one library. {@link NativeLoader} gives an instance that is ready to use.
 *
 * <p>All methods may be called from several threads at once, and throw {@link
 * io.sparkclassify.ClassifyException} for whatever goes wrong; a panic in native code too. Those
 * about files throw {@link IOException} for what is wrong with the file.
 */
public interface NativeEngine {

  /**
   * Version, ABI and backend of the library: {@code {"version": "0.1.0", "abi": 10, "backend":
   * "onnx"}}.
   */
  String buildInfo();

  /**
   * Connects logging and opens the engine. Called by {@link NativeLoader}.
   *
   * @param request {@code {"engine_library": path or null}}
   */
  void initialize(String request);

  /**
   * The version of the engine's own library, the devices that {@link #openModel} accepts here, why
   * there is no GPU among them, and the best instruction set of this machine's CPU: {@code
   * {"backend": "onnx", "version": "1.28.0", "devices": ["cpu"], "no_gpu": "there is no NVIDIA
   * driver: …" or null, "instruction_set": "AVX2"}}.
   */
  String engineInfo();

  /**
   * The open models, oldest first: {@code [{"directory": "/models/id-card", "device": "cpu",
   * "precision": "fp32", "backend": "onnx", "classes": 3, "embedding": null}]}: how many classes it
   * gives and how many values of an embedding.
   */
  String models();

  /**
   * The files that the model of a directory needs, for whoever copies them: {@code ["config.json",
   * "model.onnx"]}. What a model file says of further files is known when that file is in the copy,
   * so this is to be asked until nothing is missing.
   *
   * @param request {@code {"copy": "/tmp/copy", "listing": ["config.json", "model.onnx",
   *     "model.safetensors"], "precision": "fp32"}}: the directory that the files are copied to,
   *     and all files of the model directory, by their paths in it
   */
  String neededFiles(String request);

  /**
   * Loads a model. Each call loads one of its own: whoever wants one for many shares the handle.
   *
   * @param request {@code {"directory": "/models/id-card", "device": "cpu", "precision": "fp32",
   *     "decode": {"max_bytes": 268435456, "max_pixels": 178956970, "max_memory": 268435456,
   *     "exif_transpose": false, "fast": false}, "gpu": {"batch_size": 256, "tf32": false,
   *     "max_bytes": 0}}}; all but the directory have these defaults. On the device {@code cuda:N}
   *     the images of all callers are classified together, up to {@code batch_size} in one run;
   *     {@code max_bytes} of 0 is no limit.
   * @return a handle, a number that is never given again
   */
  long openModel(String request);

  /**
   * What is known about an open model: {@code {"backend": "onnx", "file": "model.onnx", "labels":
   * ["cat", "dog"], "no_classes": null, "embedding": 0, "no_embedding": "model file …: the model
   * gives no …", "input": [height, width], "load_millis": 20, "notes": ["…"]}}. It gives classes,
   * embeddings or both; what it does not give has a reason. The notes are sentences about the way
   * its files are read.
   */
  String describeModel(long model);

  /**
   * Runs a model over a batch of images. All buffers are direct; each is meant whole: position and
   * limit play no role. The output is in native byte order, not read-only, and shares no memory
   * with an image. Nobody may touch them before the method returns.
   *
   * <p>{@code output}: three longs, which are the nanoseconds of decoding, of resizing with
   * normalising, and of inference, each summed over the images; then a block of rows for the
   * classes, if these are asked for; then one for the embeddings, if these are; then the messages
   * of the bad images, which the rows point to. A block has a row for each image, of {@code 8 + 4 *
   * W} bytes, where W is the number of classes or of the values of an embedding. A row is int 0,
   * int class id or 0, float[W] probabilities in class-id order or the embedding; that of a bad
   * image is int 1, 2 for one with more than {@code max_pixels}, or 3 for one that would take more
   * than {@code max_memory}; int position of its message in the buffer; and zeros. A message is int
   * length in bytes, at most 512, and UTF-8 of that length. The buffer has room for {@code 24}
   * bytes and for each block {@code images * (8 + 4 * W + 4 + 512)}.
   *
   * @param outputs what is asked for: 1 for classes, 2 for embeddings, 3 for both, of one run. A
   *     model that does not give that is refused
   * @param images the bytes of an image in each: a file's, or pixels. These are rows from the top,
   *     without padding, of a byte a channel: grey, or blue, green and red, or these and alpha,
   *     which is left out
   * @param sizes three numbers for each image: width, height and channels (1, 3 or 4) of its
   *     pixels, zeros for a file. What does not fit the bytes is that image's error
   * @param threads how many threads may work on the batch, at least 1: this one and helpers that
   *     end with the call
   * @return the number of bytes written to {@code output}
   */
  long classify(
      long model, int outputs, ByteBuffer[] images, int[] sizes, int threads, ByteBuffer output);

  /**
   * Hashes a batch of images, without a model. What {@link #classify} says of its buffers, sizes
   * and threads holds here too.
   *
   * <p>{@code output}: as of embeddings of four values, of which inference takes no time; in the
   * place of these values are two longs, the pHash and the dHash.
   *
   * @param decode how images are decoded, as in the request of {@link #openModel}
   * @return the number of bytes written to {@code output}
   */
  long hash(String decode, ByteBuffer[] images, int[] sizes, int threads, ByteBuffer output);

  /**
   * A small picture of an image for a report, without a model.
   *
   * @param file a direct buffer that is the image's file, whole. Nobody may write to it before the
   *     method returns.
   * @return a JPEG in base64; empty for what cannot be decoded
   */
  String thumbnail(ByteBuffer file);

  /**
   * Draws the report of a run, without a model.
   *
   * @param request {@code {"run": {…}, "thumbnails": {"a.jpg": "/9j/…"}, "baseline": null}}: what
   *     the crate {@code spark-classify-report} calls a run; what {@link #thumbnail} gave for its
   *     images, by their paths; and the text of another run's {@code report.json}, or null
   * @return {@code {"json": "…", "html": "…"}}: {@code report.json} and the page
   */
  String report(String request);

  /**
   * Frees a model, whose handle is refused from now on. Calls that are using it finish undisturbed.
   */
  void closeModel(long model);

  /**
   * Opens a regular file of this machine for reading, and nothing else: that never waits for the
   * other end of a FIFO, nor for a device. Links are followed. See {@link LocalFile}.
   *
   * @param name the bytes of its name, as the system takes them
   * @return a handle, a number that is never given again
   * @throws java.nio.file.NoSuchFileException when there is none
   * @throws java.nio.file.AccessDeniedException when this process may not read it
   * @throws IOException for whatever else is wrong with it; the message says what it is when it is
   *     not a regular file
   */
  long openFile(byte[] name) throws IOException;

  /** How many bytes the file had when it was opened. */
  long fileSize(long file);

  /**
   * Reads the next bytes of a file.
   *
   * @param buffer direct and not read-only. Nobody may touch it before the method returns.
   * @param from where in the buffer the first one goes, whatever its position is
   * @param to where in the buffer they end at the latest
   * @return how many have been read; 0 at the end of the file
   */
  int readFile(long file, ByteBuffer buffer, int from, int to) throws IOException;

  /** Closes a file, whose handle is refused from now on. A call that is reading it finishes. */
  void closeFile(long file);
}
