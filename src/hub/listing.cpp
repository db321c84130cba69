#include "hub/listing.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>

#include "hub/names.h"

namespace orrery::hub {
namespace {

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kFilesMax = 100'000;  // the hub itself advises against more

class Reader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Listing listing;
  std::string problem;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t number) override {
    return is_size() ? stop("a size is {}", number) : value();
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (!is_size()) return value();
    if (number > kFileBytesMax) return stop("a file of {} bytes", number);
    (places_.back() == Place::kLfs ? lfs_size_ : size_) = i64(number);
    return true;
  }
  bool number_float(number_float_t, const string_t& text) override {
    return is_size() ? stop("a size is {}", shown(text)) : value();
  }
  bool string(string_t& text) override {
    if (places_.empty()) return stop("the root is no object");
    const Place place = places_.back();
    if (place == Place::kSiblings) return value();
    if (place == Place::kRoot && key_ == "sha") listing.commit = std::move(text);
    if (place == Place::kFile && key_ == "rfilename") file_.path = std::move(text);
    if (place == Place::kFile && key_ == "blobId") git_id_ = std::move(text);
    if (place == Place::kLfs && key_ == "sha256") sha256_ = std::move(text);
    return true;
  }
  bool binary(binary_t&) override { return stop("binary data"); }

  bool start_object(std::size_t) override {
    if (places_.empty()) return enter(Place::kRoot);
    const Place place = places_.back();
    if (place == Place::kFile && key_ == "lfs") return enter(Place::kLfs);
    if (place != Place::kSiblings) return enter(Place::kOther);
    file_ = RemoteFile();
    git_id_.clear();
    sha256_.clear();
    size_ = lfs_size_ = kUnknown;
    return enter(Place::kFile);
  }
  bool end_object() override {
    const Place place = places_.back();
    places_.pop_back();
    return place != Place::kFile || add_file();
  }
  bool start_array(std::size_t) override {
    if (places_.empty()) return stop("the root is no object");
    if (places_.back() == Place::kSiblings) return value();
    const bool files = places_.back() == Place::kRoot && key_ == "siblings";
    return enter(files ? Place::kSiblings : Place::kOther);
  }
  bool end_array() override {
    places_.pop_back();
    return true;
  }
  bool key(string_t& name) override {
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception&) override {
    return stop("it is no valid JSON at byte {}", at);
  }

 private:
  enum class Place { kRoot, kSiblings, kFile, kLfs, kOther };
  static constexpr i64 kUnknown = -1;

  template <typename... Args>
  bool stop(fmt::format_string<Args...> format, Args&&... args) {
    problem = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }
  bool value() {
    if (places_.empty()) return stop("the root is no object");
    return places_.back() != Place::kSiblings || stop("a file is no object");
  }
  bool enter(Place place) {
    if (places_.size() == kDepthMax) return stop("it is nested more than {} deep", kDepthMax);
    places_.push_back(place);
    return true;
  }
  bool is_size() const {
    return !places_.empty() && key_ == "size" &&
           (places_.back() == Place::kFile || places_.back() == Place::kLfs);
  }

  bool add_file() {
    if (listing.files.size() == kFilesMax) return stop("more than {} files", kFilesMax);
    if (!is_safe_path(file_.path))
      return stop("the file name {} is not allowed", shown(file_.path));
    if (!git_id_.empty() && (git_id_.size() != 40 || !is_blob_key(git_id_)))
      return stop("the hash {} of {} is none", shown(git_id_), shown(file_.path));
    if (!sha256_.empty() && (sha256_.size() != 64 || !is_blob_key(sha256_)))
      return stop("the hash {} of {} is none", shown(sha256_), shown(file_.path));
    // For a large file the repository holds a pointer (its blobId) to the bytes (their SHA-256).
    const i64 size = lfs_size_ != kUnknown ? lfs_size_ : size_;
    file_.key = !sha256_.empty() ? sha256_ : git_id_;
    file_.size_known = size != kUnknown;
    file_.size = file_.size_known ? u64(size) : 0;
    listing.files.push_back(std::move(file_));
    return true;
  }

  std::vector<Place> places_;
  std::string key_, git_id_, sha256_;
  RemoteFile file_;
  i64 size_ = kUnknown, lfs_size_ = kUnknown;
};

}  // namespace

Result<Listing> parse_listing(std::string_view json) {
  // nlohmann/json takes a zero byte for the end and would not look at what stands after it.
  if (json.find('\0') != json.npos) return fail("there is a zero byte in it");
  Reader reader;
  try {
    if (!nlohmann::json::sax_parse(json.data(), json.data() + json.size(), &reader))
      return fail("{}", reader.problem);
  } catch (const std::exception&) {
    return fail("it is no valid JSON");
  }
  Listing listing = std::move(reader.listing);
  if (!is_commit(listing.commit))
    return fail("its commit {} is none of 40 hexadecimal digits", shown(listing.commit));
  const auto path = [](const RemoteFile& file) -> const std::string& { return file.path; };
  std::ranges::sort(listing.files, {}, path);
  const auto twice = std::ranges::adjacent_find(listing.files, {}, path);
  if (twice != listing.files.end())
    return fail("the file {} stands in it twice", shown(twice->path));
  return listing;
}

}  // namespace orrery::hub
