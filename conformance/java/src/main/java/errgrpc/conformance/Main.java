package errgrpc.conformance;

/** {@code client HOST:PORT} or {@code server PATH}. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    switch (arguments[0]) {
      case "client" -> Client.run(arguments[1]);
      case "server" -> Server.run(arguments[1]);
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }
}
