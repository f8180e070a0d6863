package errgrpc.conformance;

/** {@code client HOST:PORT [SERVICE_CONFIG]} or {@code server PATH}. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    switch (arguments[0]) {
      case "client" -> Client.run(arguments[1], arguments.length > 2 ? arguments[2] : "{}");
      case "server" -> Server.run(arguments[1]);
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }
}
