// The cells of volumes, claims, classes and CSI objects.
#include "schema/internal/table_row.h"

namespace kinglet::schema {
namespace {

constexpr std::string_view kOldClassAnnotation = "volume.beta.kubernetes.io/storage-class";

std::string short_mode(std::string_view mode) {
  if (mode == "ReadWriteOnce") return "RWO";
  if (mode == "ReadOnlyMany") return "ROX";
  if (mode == "ReadWriteMany") return "RWX";
  if (mode == "ReadWriteOncePod") return "RWOP";
  return std::string(mode);
}

std::string modes_text(const json::Array& modes) {
  std::vector<std::string> parts;
  for (const auto& mode : modes) parts.push_back(short_mode(member_text(mode)));
  return join(parts, ",");
}

std::string class_of(const json::Value& object) {
  const auto* old = json::find(object, {"metadata", "annotations", kOldClassAnnotation});
  return old ? member_text(*old) : std::string(json::text_at(object, {"spec", "storageClassName"}));
}

void add_phase(TableRow& row) {
  const bool going = !json::text_at(row.object(), {"metadata", "deletionTimestamp"}).empty();
  row.add(json::Value(going ? "Terminating" : json::text_at(row.object(), {"status", "phase"})));
}

void volume_cells(TableRow& row) {
  row.text({"spec", "capacity", "storage"});
  row.add(json::Value(modes_text(array_at(row.object(), {"spec", "accessModes"}))));
  row.text({"spec", "persistentVolumeReclaimPolicy"});
  add_phase(row);
  const auto* claim = json::find(row.object(), {"spec", "claimRef"});
  row.add(claim && claim->is_object()
              ? json::Value(fmt::format("{}/{}", json::text_at(*claim, {"namespace"}),
                                        json::text_at(*claim, {"name"})))
              : json::Value(""));
  row.add(json::Value(class_of(row.object())));
  row.text({"spec", "volumeAttributesClassName"}, kUnset);
  row.text({"status", "reason"});
  row.age();
  row.text({"spec", "volumeMode"}, kUnset);
}

void claim_cells(TableRow& row) {
  add_phase(row);
  row.text({"spec", "volumeName"});
  const bool bound = !json::text_at(row.object(), {"spec", "volumeName"}).empty();
  row.add(json::Value(bound ? json::text_at(row.object(), {"status", "capacity", "storage"})
                            : std::string_view()));
  row.add(json::Value(bound ? modes_text(array_at(row.object(), {"status", "accessModes"}))
                            : std::string()));
  row.add(json::Value(class_of(row.object())));
  row.text({"spec", "volumeAttributesClassName"}, kUnset);
  row.age();
  row.text({"spec", "volumeMode"}, kUnset);
}

bool annotated_true(const json::Value& object, std::string_view annotation) {
  return json::text_at(object, {"metadata", "annotations", annotation}) == "true";
}

// The name's cell is there already: a default class says so behind it.
void mark_default(TableRow& row, std::initializer_list<std::string_view> annotations) {
  for (const auto annotation : annotations)
    if (annotated_true(row.object(), annotation)) return row.append_to_name(" (default)");
}

void storage_class_cells(TableRow& row) {
  mark_default(row, {"storageclass.kubernetes.io/is-default-class",
                     "storageclass.beta.kubernetes.io/is-default-class"});
  row.text({"provisioner"});
  row.text({"reclaimPolicy"}, "Delete");
  row.text({"volumeBindingMode"}, "Immediate");
  row.add(json::Value(json::bool_at(row.object(), {"allowVolumeExpansion"}) ? "true" : "false"));
  row.age();
}

void csi_driver_cells(TableRow& row) {
  row.boolean({"spec", "attachRequired"}, true);
  row.boolean({"spec", "podInfoOnMount"});
  row.boolean({"spec", "storageCapacity"});
  std::vector<std::string> audiences;
  for (const auto& request : array_at(row.object(), {"spec", "tokenRequests"}))
    audiences.emplace_back(json::text_at(request, {"audience"}));
  row.add(json::Value(audiences.empty() ? std::string(kUnset) : join(audiences, ",")));
  row.boolean({"spec", "requiresRepublish"});
  row.items({"spec", "volumeLifecycleModes"}, ",", kNone);
  row.age();
}

void attachment_cells(TableRow& row) {
  row.text({"spec", "attacher"});
  row.text({"spec", "source", "persistentVolumeName"});
  row.text({"spec", "nodeName"});
  row.boolean({"status", "attached"});
  row.age();
}

bool storage_group_cells(std::string_view plural, TableRow& row) {
  if (plural == "storageclasses") {
    storage_class_cells(row);
  } else if (plural == "volumeattributesclasses") {
    mark_default(row, {"storage.alpha.kubernetes.io/is-default-class",
                       "storage.kubernetes.io/is-default-class"});
    row.text({"driverName"});
    row.age();
  } else if (plural == "volumeattachments") {
    attachment_cells(row);
  } else if (plural == "csinodes") {
    row.count({"spec", "drivers"});
    row.age();
  } else if (plural == "csidrivers") {
    csi_driver_cells(row);
  } else if (plural == "csistoragecapacities") {
    row.text({"storageClassName"});
    row.text({"capacity"}, kUnset);
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool storage_cells(std::string_view group, std::string_view plural, TableRow& row) {
  if (group == "storage.k8s.io") return storage_group_cells(plural, row);
  if (!group.empty()) return false;
  if (plural == "persistentvolumes") {
    volume_cells(row);
  } else if (plural == "persistentvolumeclaims") {
    claim_cells(row);
  } else {
    return false;
  }
  return true;
}

}  // namespace kinglet::schema
