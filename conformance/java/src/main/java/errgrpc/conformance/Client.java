package errgrpc.conformance;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.reflect.TypeToken;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.LocalizedMessage;
import com.google.rpc.Status;
import errgrpc.conformance.v1.AnswerRequest;
import errgrpc.conformance.v1.AnswerResponse;
import errgrpc.conformance.v1.ConformanceServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Makes the calls of its input and prints what StatusProto told of their errors. */
final class Client {
  private static final long DEADLINE = 20; // seconds
  private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

  /** A line of the input. */
  private record Call(int id, int vector, String method, int messages, Map<String, String> metadata) {}

  private Client() {}

  /** What a client author writes. */
  static Said read(StatusRuntimeException error) throws InvalidProtocolBufferException {
    Status status = StatusProto.fromThrowable(error); // without details when there are none
    Said said = new Said();
    said.status = status.getCode();
    said.message = status.getMessage();
    for (Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class) && said.reason == null) {
        ErrorInfo info = detail.unpack(ErrorInfo.class);
        said.reason = info.getReason();
        said.domain = info.getDomain();
        said.metadata = info.getMetadataMap();
      } else if (detail.is(LocalizedMessage.class)) {
        LocalizedMessage hint = detail.unpack(LocalizedMessage.class);
        said.locale = hint.getLocale();
        said.hint = hint.getMessage();
      } else {
        said.details.add(Said.Detail.of(detail)); // unpack(BadRequest.class) has the violations
      }
    }
    return said;
  }

  /** With a service config, which may hold a retry policy. */
  static void run(String target, String config) throws IOException, InterruptedException {
    Map<String, ?> serviceConfig = GSON.fromJson(config, new TypeToken<Map<String, Object>>() {});
    ManagedChannel channel = ManagedChannelBuilder.forTarget(target).usePlaintext().defaultServiceConfig(serviceConfig).build();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Call call = GSON.fromJson(line, Call.class);
      Said said;
      try {
        said = said(channel, call);
      } catch (Exception failure) { // the library's reader raises what the author does not expect
        said = new Said();
        said.failed = failure.toString();
      }
      said.id = call.id();
      out.println(GSON.toJson(said).replace("\"failed\":null,", ""));
    }
    out.flush();
    channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
  }

  private static Said said(ManagedChannel channel, Call call) throws Exception {
    Outcome outcome = new Outcome();
    start(channel, call, outcome);
    StatusRuntimeException error = outcome.error.get(DEADLINE + 5, TimeUnit.SECONDS);
    if (error == null) {
      throw new IllegalStateException("the call ended without an error");
    }
    Said said = read(error);
    said.messages = outcome.messages;
    if (error.getTrailers() != null) {
      for (String key : error.getTrailers().keys()) {
        if (key.startsWith("x-")) {
          said.trailing.put(key, error.getTrailers().get(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER)));
        }
      }
    }
    return said;
  }

  private static void start(ManagedChannel channel, Call call, StreamObserver<AnswerResponse> outcome) {
    Metadata headers = new Metadata();
    call.metadata().forEach((key, value) -> headers.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value));
    ConformanceServiceGrpc.ConformanceServiceStub stub =
        ConformanceServiceGrpc.newStub(channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
            .withDeadlineAfter(DEADLINE, TimeUnit.SECONDS);
    AnswerRequest request = AnswerRequest.newBuilder().setVector(call.vector()).setMessages(call.messages()).build();
    switch (call.method()) {
      case "Unary" -> stub.unary(request, outcome);
      case "ServerStream" -> stub.serverStream(request, outcome);
      case "ClientStream" -> send(stub.clientStream(outcome), request);
      default -> send(stub.bidiStream(outcome), request);
    }
  }

  private static void send(StreamObserver<AnswerRequest> requests, AnswerRequest request) {
    requests.onNext(request);
    requests.onCompleted();
  }

  /** Counts the responses and keeps the error, null if there was none. */
  private static final class Outcome implements StreamObserver<AnswerResponse> {
    final CompletableFuture<StatusRuntimeException> error = new CompletableFuture<>();
    volatile int messages;

    @Override
    public void onNext(AnswerResponse response) {
      messages++;
    }

    @Override
    public void onError(Throwable failure) {
      error.complete((StatusRuntimeException) failure);
    }

    @Override
    public void onCompleted() {
      error.complete(null);
    }
  }
}
