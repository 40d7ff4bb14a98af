// The built-in admission plugins, one constructor each; make_admission() puts them in upstream's
// order.
#pragma once
#include <memory>

#include "apiserver/hooks.h"

namespace kinglet::apiserver {

std::unique_ptr<AdmissionPlugin> make_namespace_lifecycle();
std::unique_ptr<AdmissionPlugin> make_taint_nodes();
std::unique_ptr<AdmissionPlugin> make_service_account_admission();
std::unique_ptr<AdmissionPlugin> make_priority_admission();
std::unique_ptr<AdmissionPlugin> make_default_tolerations();
std::unique_ptr<AdmissionPlugin> make_default_storage_class();
std::unique_ptr<AdmissionPlugin> make_default_ingress_class();

// A write of the kind itself, not of one of its subresources.
bool is_kind(const WriteContext& context, std::string_view group, std::string_view plural);

}  // namespace kinglet::apiserver
