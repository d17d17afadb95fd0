package example;

import clientele.v1.Address;
import clientele.v1.BillingReportColumn;
import clientele.v1.BillingReportRow;
import clientele.v1.BillingServiceGrpc;
import clientele.v1.CreateCustomerRequest;
import clientele.v1.Customer;
import clientele.v1.CustomerServiceGrpc;
import clientele.v1.ErrorReason;
import clientele.v1.GetCustomerRequest;
import clientele.v1.Phone;
import clientele.v1.StreamBillingReportRequest;
import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * The smallest client in Java: it creates a customer, reads it, reads why two calls are refused, and reads the billing report.
 *
 * <p>examples/README.md has the commands that generate the package clientele.v1 and run this program.
 */
public final class Smallest {
  /** The config that ships with the protos: timeouts for all RPCs, retries for reads. */
  private static final Path SERVICE_CONFIG = Path.of("proto/clientele/v1/service_config.json");

  private Smallest() {}

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 2) {
      throw new IllegalArgumentException("usage: Smallest ADDRESS TOKEN");
    }
    ManagedChannel channel =
        Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create())
            .defaultServiceConfig(serviceConfig())
            .intercept(MetadataUtils.newAttachHeadersInterceptor(bearer(arguments[1])))
            .build();
    try {
      walk(channel);
    } finally {
      channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<String, ?> serviceConfig() throws IOException {
    return new Gson().fromJson(Files.readString(SERVICE_CONFIG), Map.class);
  }

  private static Metadata bearer(String token) {
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    return headers;
  }

  private static void walk(ManagedChannel channel) {
    var customers = CustomerServiceGrpc.newBlockingStub(channel);

    // A request_id makes the call safe to repeat.
    CreateCustomerRequest create =
        CreateCustomerRequest.newBuilder()
            .setCustomer(
                Customer.newBuilder()
                    .setName("Kontiki " + UUID.randomUUID())
                    .setBillingEmail("billing@kontiki.example")
                    .setPrimaryAddress(Address.newBuilder().setCity("München")))
            .setRequestId(UUID.randomUUID().toString())
            .build();
    Customer created = customers.createCustomer(create).getCustomer();
    System.out.println("created " + created.getName());

    Customer read =
        customers.getCustomer(GetCustomerRequest.newBuilder().setCustomerId(created.getId()).build()).getCustomer();
    System.out.println("read " + read.getName() + ", " + read.getStatus());

    // An error has a reason, by which a program decides, and lists every invalid field.
    Customer wrong =
        Customer.newBuilder()
            .setName("Kontiki")
            .setEmail("nowhere")
            .setPhone(Phone.newBuilder().setNumber("call us"))
            .build();
    System.out.println(
        refusal(() -> customers.createCustomer(CreateCustomerRequest.newBuilder().setCustomer(wrong).build())));
    String unknown = UUID.randomUUID().toString();
    System.out.println(
        refusal(() -> customers.getCustomer(GetCustomerRequest.newBuilder().setCustomerId(unknown).build())));

    // A stream: the billing report, as of one moment.
    StreamBillingReportRequest names =
        StreamBillingReportRequest.newBuilder()
            .addColumns(BillingReportColumn.BILLING_REPORT_COLUMN_NAME)
            .build();
    boolean found = false;
    var report = BillingServiceGrpc.newBlockingStub(channel).streamBillingReport(names);
    while (report.hasNext()) {
      for (BillingReportRow row : report.next().getRowsList()) {
        found |= row.getCustomerId().equals(created.getId()) && row.getName().equals(created.getName());
      }
    }
    System.out.println("in the billing report: " + found);
  }

  /** Why the server refuses the call: its reason, and the fields that it names. */
  private static String refusal(Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException refused) {
      var status = StatusProto.fromThrowable(refused);
      ErrorInfo info = detail(status.getDetailsList(), ErrorInfo.class, ErrorInfo.getDefaultInstance());
      BadRequest bad = detail(status.getDetailsList(), BadRequest.class, BadRequest.getDefaultInstance());
      // Throws if it is not an answer of the service.
      ErrorReason reason = ErrorReason.valueOf("ERROR_REASON_" + info.getReason());
      String fields =
          bad.getFieldViolationsList().stream()
              .map(BadRequest.FieldViolation::getField)
              .collect(Collectors.joining(", "));
      return "refused: " + reason.name().replaceFirst("^ERROR_REASON_", "") + " (" + fields + ")";
    }
    throw new IllegalStateException("it should have been refused");
  }

  private static <M extends com.google.protobuf.Message> M detail(List<Any> details, Class<M> kind, M absent) {
    for (Any detail : details) {
      if (detail.is(kind)) {
        try {
          return detail.unpack(kind);
        } catch (InvalidProtocolBufferException malformed) {
          throw new IllegalStateException(malformed);
        }
      }
    }
    return absent;
  }
}
