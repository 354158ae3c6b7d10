import java.io.FileOutputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;

/** A YARN of two nodes in one process, until its input ends. Its configuration is written to the given folder. */
public final class YarnCluster {
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    Configuration settings = new YarnConfiguration();
    settings.set("yarn.scheduler.capacity.root.queues", "default");
    settings.set("yarn.scheduler.capacity.root.default.capacity", "100");
    settings.set("yarn.scheduler.capacity.maximum-am-resource-percent", "0.8");
    // A node gives up at 90% otherwise, which the test machine's disk may have reached.
    settings.set("yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage", "100");
    settings.setBoolean("yarn.nodemanager.vmem-check-enabled", false);
    MiniYARNCluster cluster = new MiniYARNCluster("nodes", 2, 1, 1);
    cluster.init(settings);
    cluster.start();
    Path written = folder.resolve("yarn-site.xml.new");
    try (OutputStream file = new FileOutputStream(written.toFile())) {
      cluster.getConfig().writeXml(file);
    }
    Files.move(written, folder.resolve("yarn-site.xml"));
    System.in.read();
    cluster.stop();
  }
}
