import java.io.ByteArrayOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Base64;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.common.utils.Exit;

/**
 * Owns running Kafka's command line tools one after the other in one JVM: starting it is most of what a tool costs.
 *
 * <p>A line in: the class and its arguments, each in base64, separated by spaces. A line out: the exit code, then standard output and
 * standard error in base64. The end of input ends it.
 */
public final class ToolHost {
    /** Unwinds a tool that wants to exit, so that what it has opened is closed. */
    private static final class Exited extends Error {
        Exited() {
            super("exited", null, false, false);
        }
    }

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    /** Of the first exit; what is printed while the tool unwinds would not have been. */
    private final AtomicInteger code = new AtomicInteger(-1);
    private byte[] outAtExit;
    private byte[] errAtExit;

    private synchronized void exit(int status) {
        if (code.compareAndSet(-1, status)) {
            System.out.flush();
            System.err.flush();
            outAtExit = out.toByteArray();
            errAtExit = err.toByteArray();
        }
    }

    private String run(String className, String[] arguments) {
        System.setOut(new PrintStream(out, true));
        System.setErr(new PrintStream(err, true));
        Exit.setExitProcedure((status, message) -> {
            exit(status);
            throw new Exited();
        });
        Exit.setHaltProcedure((status, message) -> {
            exit(status);
            throw new Exited();
        });
        Exit.setShutdownHookAdder((name, hook) -> { });
        try {
            Method main = Class.forName(className).getMethod("main", String[].class);
            main.invoke(null, (Object) arguments);
            exit(0);
        } catch (InvocationTargetException failure) {
            if (!(failure.getCause() instanceof Exited)) {
                StringWriter trace = new StringWriter();
                failure.getCause().printStackTrace(new PrintWriter(trace));
                System.err.print("Exception in thread \"main\" " + trace);
                exit(1);
            }
        } catch (ReflectiveOperationException missing) {
            System.err.println(missing);
            exit(1);
        }
        Base64.Encoder base64 = Base64.getEncoder();
        return code.get() + " " + base64.encodeToString(outAtExit) + " " + base64.encodeToString(errAtExit);
    }

    public static void main(String[] none) throws Exception {
        PrintStream answers = System.out;
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            String[] words = line.split(" ", -1);
            for (int at = 0; at < words.length; at++) words[at] = new String(Base64.getDecoder().decode(words[at]), "UTF-8");
            String[] arguments = new String[words.length - 1];
            System.arraycopy(words, 1, arguments, 0, arguments.length);
            answers.println(new ToolHost().run(words[0], arguments));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }
}
