package errgrpc.conformance;

import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import com.google.rpc.LocalizedMessage;
import com.google.rpc.Status;
import errgrpc.conformance.v1.AnswerRequest;
import errgrpc.conformance.v1.AnswerResponse;
import errgrpc.conformance.v1.ConformanceServiceGrpc;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Answers each vector as StatusProto does it. */
final class Server extends ConformanceServiceGrpc.ConformanceServiceImplBase {
  private final Map<Integer, Said> vectors = new HashMap<>();

  /** What is needed of a line of vectors.json. */
  private record Vector(int number, Said read) {}

  private Server(String path) throws IOException {
    for (Vector vector : new Gson().fromJson(Files.readString(Path.of(path)), Vector[].class)) {
      vectors.put(vector.number(), vector.read());
    }
  }

  /** What a server author writes. */
  static StatusRuntimeException error(Said wanted) {
    Status.Builder status = Status.newBuilder().setCode(wanted.status).setMessage(wanted.message);
    if (wanted.reason != null) {
      ErrorInfo info =
          ErrorInfo.newBuilder().setReason(wanted.reason).setDomain(wanted.domain).putAllMetadata(wanted.metadata).build();
      status.addDetails(Any.pack(info));
    }
    if (wanted.hint != null) {
      status.addDetails(Any.pack(LocalizedMessage.newBuilder().setLocale(wanted.locale).setMessage(wanted.hint).build()));
    }
    for (Said.Detail detail : wanted.details) {
      String url = "type.googleapis.com/" + detail.type;
      status.addDetails(Any.newBuilder().setTypeUrl(url).setValue(ByteString.copyFrom(detail.bytes())));
    }
    Metadata trailers = new Metadata();
    wanted.trailing.forEach((key, value) -> trailers.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value));
    return StatusProto.toStatusRuntimeException(status.build(), trailers);
  }

  static void run(String path) throws IOException, InterruptedException {
    InetSocketAddress address = new InetSocketAddress("127.0.0.1", 0);
    io.grpc.Server server = NettyServerBuilder.forAddress(address).addService(new Server(path)).build().start();
    System.out.println(server.getPort());
    System.in.transferTo(java.io.OutputStream.nullOutputStream());
    server.shutdownNow().awaitTermination(3, TimeUnit.SECONDS);
  }

  private StatusRuntimeException answer(AnswerRequest request) {
    Said wanted = vectors.get(request.getVector());
    return wanted == null ? io.grpc.Status.UNIMPLEMENTED.asRuntimeException() : error(wanted);
  }

  @Override
  public void unary(AnswerRequest request, StreamObserver<AnswerResponse> responses) {
    responses.onError(answer(request));
  }

  @Override
  public void serverStream(AnswerRequest request, StreamObserver<AnswerResponse> responses) {
    send(request, responses);
    responses.onError(answer(request));
  }

  @Override
  public StreamObserver<AnswerRequest> clientStream(StreamObserver<AnswerResponse> responses) {
    return new Requests(responses, false);
  }

  @Override
  public StreamObserver<AnswerRequest> bidiStream(StreamObserver<AnswerResponse> responses) {
    return new Requests(responses, true);
  }

  private static void send(AnswerRequest request, StreamObserver<AnswerResponse> responses) {
    for (int index = 1; index <= request.getMessages(); index++) {
      responses.onNext(AnswerResponse.newBuilder().setIndex(index).build());
    }
  }

  /** Reads a stream of requests to its end, then fails. */
  private final class Requests implements StreamObserver<AnswerRequest> {
    private final StreamObserver<AnswerResponse> responses;
    private final boolean sends;
    private AnswerRequest first;

    Requests(StreamObserver<AnswerResponse> responses, boolean sends) {
      this.responses = responses;
      this.sends = sends;
    }

    @Override
    public void onNext(AnswerRequest request) {
      if (first == null) {
        first = request;
        if (sends) {
          send(request, responses);
        }
      }
    }

    @Override
    public void onError(Throwable failure) {} // the client has gone

    @Override
    public void onCompleted() {
      responses.onError(answer(first == null ? AnswerRequest.getDefaultInstance() : first));
    }
  }
}
