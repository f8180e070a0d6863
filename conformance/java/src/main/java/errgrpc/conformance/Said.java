package errgrpc.conformance;

import com.google.protobuf.Any;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a vector says that a reader must see, and what a reader saw: the words of both are the same. */
final class Said {
  int id;
  String failed;
  int messages;
  int status;
  String message;
  String reason;
  String domain;
  Map<String, String> metadata;
  String locale;
  String hint;
  List<Detail> details = new ArrayList<>();
  Map<String, String> trailing = new TreeMap<>();

  /** Any other detail, with its message's bytes. */
  static final class Detail {
    String type;
    String base64;

    static Detail of(Any packed) {
      Detail detail = new Detail();
      detail.type = packed.getTypeUrl().substring(packed.getTypeUrl().lastIndexOf('/') + 1);
      detail.base64 = Base64.getEncoder().encodeToString(packed.getValue().toByteArray());
      return detail;
    }

    byte[] bytes() {
      return Base64.getDecoder().decode(base64);
    }
  }
}
