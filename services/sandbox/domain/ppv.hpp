// One Boomstream project: its media, its subscriptions (gated blocks) and their buyers. The unit of access is
// (subscription, buyer hash); the hash is a bearer secret that the player takes as ?id_recovery=.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/result.hpp"
#include "domain/random.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace coursegate::sandbox {

enum class ppv_errc
{
    unknown_subscription = 1,
    unknown_media,
    unknown_buyer,
    bad_value, // the detail names the parameter
};
const std::error_category& ppv_category() noexcept;
std::error_code make_error_code(ppv_errc e) noexcept;

struct medium
{
    std::string code; // 8 characters [A-Za-z0-9]
    std::string title;
    std::int64_t lesson = 0; // 0: of no lesson
    int seconds = 0;
    base::time_point created_at{};
};

struct buyer
{
    std::string hash, email, name, media;
    base::time_point bought_at{};
    std::optional<base::time_point> expires_at, starts_at;
    int recovery = 0; // activations left: one is spent by each new device
    std::vector<std::string> devices;
    bool live = true; // false: deleted; kept for the ledger

    // What was done to this (subscription, hash), for the ledger.
    int created = 0;   // addbuyer made it, or made it again after a delete
    int refreshed = 0; // addbuyer found it live
    int updated = 0;   // updatebuyer
    int deleted = 0;
    int mails = 0; // notification=1
    base::time_point changed_at{};
};

enum class subscription_kind
{
    single, // a buyer gets the one video he was added with
    group,  // a buyer gets every video of the subscription
};

struct subscription
{
    std::string code, name;
    subscription_kind kind = subscription_kind::single;
    std::string type = "password"; // subscription | password | collection
    std::optional<int> period_days;
    std::optional<base::time_point> expires_at, starts_at;
    int activation = 20; // what a new buyer's `recovery` starts with
    std::vector<std::string> media;
    std::deque<buyer> buyers; // in the order they were made, deleted ones included
    std::unordered_map<std::string, std::size_t> by_hash;
    base::time_point created_at{};
};

struct buyer_request
{
    std::string subscription, media, email, name;
    std::string hash; // empty: Boomstream makes a 9-digit one
    std::optional<std::string> access_expire;
    std::optional<int> activation;
    bool notify = false;
};

enum class watch
{
    plays,
    no_code,    // no id_recovery given
    wrong_code, // no live buyer with it has this video
    expired,
    not_started,
    no_activation, // a new device, and recovery is used up
};
std::string_view to_string(watch w);

// Not thread safe.
class project
{
public:
    project(std::string key, std::string name) : key_(std::move(key)), name_(std::move(name)) {}

    const std::string& key() const { return key_; }
    const std::string& name() const { return name_; }
    const std::vector<medium>& media() const { return media_; }
    const std::deque<subscription>& subscriptions() const { return subscriptions_; }

    const medium* find_medium(std::string_view code) const;
    const subscription* find_subscription(std::string_view code) const;

    void add_medium(medium m); // replaces one with the same code
    subscription& add_subscription(subscription s);
    // unknown_subscription, unknown_media. Adding twice changes nothing.
    base::result<void> attach(std::string_view code, std::string_view media);
    base::result<void> detach(std::string_view code, std::string_view media);
    base::result<void> remove_subscription(std::string_view code); // unknown_subscription

    struct added
    {
        const sandbox::buyer* buyer = nullptr;
        bool is_new = false;
    };
    // Idempotent by (subscription, hash): a live buyer is updated. Without a hash each call makes a buyer,
    // unless `reuse_email` and one with this e-mail is live. Errors: unknown_subscription, unknown_media,
    // bad_value.
    base::result<added> add_buyer(
        const buyer_request& r, base::time_point now, seeded_random& random, bool reuse_email);
    // Errors: unknown_subscription, unknown_buyer, bad_value.
    base::result<const buyer*> update_buyer(const buyer_request& r, base::time_point now);
    base::result<void> delete_buyer(std::string_view code, std::string_view hash, base::time_point now);

    // May this code play this video? `device` is spent an activation for when it is new and `spend` is set;
    // an empty one never is. Both spellings of a 9-digit code are understood.
    watch try_watch(std::string_view media, std::string_view code, std::string_view device,
        base::time_point now, bool spend);

private:
    subscription* find(std::string_view code);
    buyer* find_live(subscription& s, std::string_view hash);

    std::string key_, name_;
    std::vector<medium> media_;
    std::unordered_map<std::string, std::size_t> media_by_code_;
    std::deque<subscription> subscriptions_;
};

// "123-456-789" → "123456789"; other texts stay as they are.
std::string without_hyphens(std::string_view code);

// 8 characters for a number below 10^9: the letter and the number itself when that has 7 digits and `series`
// is 0, else the letter in lower case and 7 digits of base 36 that also carry the series (one per project).
std::string make_code(char letter, std::int64_t number, int series);

} // namespace coursegate::sandbox

template <>
struct std::is_error_code_enum<coursegate::sandbox::ppv_errc> : std::true_type
{};
