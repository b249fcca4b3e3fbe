#include "domain/ppv.hpp"

#include "domain/moscow_time.hpp"

#include <algorithm>
#include <cctype>

namespace coursegate::sandbox {

namespace {

class category final : public std::error_category
{
public:
    const char* name() const noexcept override { return "sandbox.ppv"; }
    std::string message(int code) const override
    {
        switch (static_cast<ppv_errc>(code)) {
        case ppv_errc::unknown_subscription:
            return "Subscription not found";
        case ppv_errc::unknown_media:
            return "Media not found";
        case ppv_errc::unknown_buyer:
            return "Buyer not found";
        case ppv_errc::bad_value:
            return "Invalid parameter value";
        }
        return "unknown error";
    }
};

base::error no_subscription(std::string_view code)
{
    return base::fail(ppv_errc::unknown_subscription, std::string(code));
}

} // namespace

const std::error_category& ppv_category() noexcept
{
    static const category instance;
    return instance;
}

std::error_code make_error_code(ppv_errc e) noexcept
{
    return {static_cast<int>(e), ppv_category()};
}

std::string_view to_string(watch w)
{
    switch (w) {
    case watch::plays:
        return "plays";
    case watch::no_code:
        return "no_code";
    case watch::wrong_code:
        return "wrong_code";
    case watch::expired:
        return "expired";
    case watch::not_started:
        return "not_started";
    case watch::no_activation:
        return "no_activation";
    }
    return "";
}

std::string without_hyphens(std::string_view code)
{
    const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
    bool spelled = code.size() == 11 && code[3] == '-' && code[7] == '-';
    for (std::size_t i = 0; spelled && i < code.size(); ++i)
        spelled = i == 3 || i == 7 || is_digit(code[i]);
    std::string out(code);
    if (spelled)
        std::erase(out, '-');
    return out;
}

std::string make_code(char letter, std::int64_t number, int series)
{
    if (series == 0 && number >= 1'000'000 && number <= 9'999'999)
        return letter + std::to_string(number);
    // 36^7 is 7.8e10: 78 series of numbers below 10^9.
    std::string out(1, static_cast<char>(std::tolower(static_cast<unsigned char>(letter))));
    auto rest = static_cast<std::uint64_t>(number % 1'000'000'000) +
                static_cast<std::uint64_t>(series) * 1'000'000'000;
    std::string digits;
    for (int i = 0; i < 7; ++i) {
        digits += "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rest % 36];
        rest /= 36;
    }
    return out.append(digits.rbegin(), digits.rend());
}

const medium* project::find_medium(std::string_view code) const
{
    const auto at = media_by_code_.find(std::string(code));
    return at == media_by_code_.end() ? nullptr : &media_[at->second];
}

subscription* project::find(std::string_view code)
{
    const auto at = std::ranges::find(subscriptions_, code, &subscription::code);
    return at == subscriptions_.end() ? nullptr : &*at;
}

const subscription* project::find_subscription(std::string_view code) const
{
    return const_cast<project*>(this)->find(code);
}

buyer* project::find_live(subscription& s, std::string_view hash)
{
    const auto at = s.by_hash.find(std::string(hash));
    if (at == s.by_hash.end() || !s.buyers[at->second].live)
        return nullptr;
    return &s.buyers[at->second];
}

void project::add_medium(medium m)
{
    const auto [at, is_new] = media_by_code_.emplace(m.code, media_.size());
    if (is_new)
        media_.push_back(std::move(m));
    else
        media_[at->second] = std::move(m);
}

subscription& project::add_subscription(subscription s)
{
    if (auto* const known = find(s.code)) {
        s.buyers = std::move(known->buyers);
        s.by_hash = std::move(known->by_hash);
        *known = std::move(s);
        return *known;
    }
    return subscriptions_.emplace_back(std::move(s));
}

base::result<void> project::attach(std::string_view code, std::string_view media)
{
    auto* const s = find(code);
    if (s == nullptr)
        return no_subscription(code);
    if (find_medium(media) == nullptr)
        return base::fail(ppv_errc::unknown_media, std::string(media));
    if (std::ranges::find(s->media, media) == s->media.end())
        s->media.emplace_back(media);
    return {};
}

base::result<void> project::detach(std::string_view code, std::string_view media)
{
    auto* const s = find(code);
    if (s == nullptr)
        return no_subscription(code);
    if (std::erase(s->media, media) == 0)
        return base::fail(ppv_errc::unknown_media, std::string(media));
    return {};
}

base::result<void> project::remove_subscription(std::string_view code)
{
    if (std::erase_if(subscriptions_, [&](const subscription& s) { return s.code == code; }) == 0)
        return no_subscription(code);
    return {};
}

base::result<project::added> project::add_buyer(
    const buyer_request& r, base::time_point now, seeded_random& random, bool reuse_email)
{
    auto* const s = find(r.subscription);
    if (s == nullptr)
        return no_subscription(r.subscription);
    if (std::ranges::find(s->media, r.media) == s->media.end())
        return base::fail(ppv_errc::unknown_media, r.media);
    std::optional<base::time_point> end = s->expires_at;
    if (s->period_days)
        end = now + std::chrono::days(*s->period_days);
    if (r.access_expire) {
        const auto asked = parse_moscow(*r.access_expire, "23:59:59");
        if (!asked)
            return base::fail(ppv_errc::bad_value, "access_expire");
        end = *asked;
    }

    auto hash = r.hash;
    if (hash.empty() && reuse_email) {
        const auto same =
            std::ranges::find_if(s->buyers, [&](const buyer& b) { return b.live && b.email == r.email; });
        if (same != s->buyers.end())
            hash = same->hash;
    }
    if (hash.empty()) {
        do
            hash = random.digits(9);
        while (s->by_hash.contains(hash));
    }

    added out;
    const auto [at, is_unknown] = s->by_hash.emplace(hash, s->buyers.size());
    if (is_unknown) {
        buyer b;
        b.hash = hash;
        s->buyers.push_back(std::move(b));
    }
    auto& b = s->buyers[at->second];
    out.is_new = is_unknown || !b.live;
    if (out.is_new) {
        b.live = true;
        b.bought_at = now;
        b.starts_at = s->starts_at;
        b.expires_at = end;
        b.recovery = s->activation;
        b.devices.clear();
        b.media = r.media;
        ++b.created;
    }
    else {
        ++b.refreshed;
        if (r.access_expire)
            b.expires_at = end;
        // A single subscription sells one video to one hash; asking with another one moves it there.
        if (s->kind == subscription_kind::single)
            b.media = r.media;
    }
    b.email = r.email;
    if (!r.name.empty())
        b.name = r.name;
    if (r.activation)
        b.recovery = *r.activation;
    b.mails += r.notify ? 1 : 0;
    b.changed_at = now;
    out.buyer = &b;
    return out;
}

base::result<const buyer*> project::update_buyer(const buyer_request& r, base::time_point now)
{
    auto* const s = find(r.subscription);
    if (s == nullptr)
        return no_subscription(r.subscription);
    auto* const b = find_live(*s, r.hash);
    if (b == nullptr)
        return base::fail(ppv_errc::unknown_buyer, "");
    if (r.access_expire) {
        const auto asked = parse_moscow(*r.access_expire, "23:59:59");
        if (!asked)
            return base::fail(ppv_errc::bad_value, "access_expire");
        b->expires_at = *asked;
    }
    if (r.activation)
        b->recovery = *r.activation;
    if (!r.email.empty())
        b->email = r.email;
    if (!r.name.empty())
        b->name = r.name;
    ++b->updated;
    b->mails += r.notify ? 1 : 0;
    b->changed_at = now;
    return static_cast<const buyer*>(b);
}

base::result<void> project::delete_buyer(std::string_view code, std::string_view hash, base::time_point now)
{
    auto* const s = find(code);
    if (s == nullptr)
        return no_subscription(code);
    auto* const b = find_live(*s, hash);
    if (b == nullptr)
        return base::fail(ppv_errc::unknown_buyer, "");
    b->live = false;
    ++b->deleted;
    b->changed_at = now;
    return {};
}

watch project::try_watch(
    std::string_view media, std::string_view code, std::string_view device, base::time_point now, bool spend)
{
    const auto hash = without_hyphens(code);
    if (hash.empty())
        return watch::no_code;
    auto best = watch::wrong_code;
    for (auto& s : subscriptions_) {
        if (std::ranges::find(s.media, media) == s.media.end())
            continue;
        auto* b = find_live(s, hash);
        if (b == nullptr && hash != code)
            b = find_live(s, code);
        if (b == nullptr || (s.kind == subscription_kind::single && b->media != media))
            continue;
        if (b->expires_at && *b->expires_at <= now) {
            best = watch::expired;
            continue;
        }
        if (b->starts_at && *b->starts_at > now) {
            best = watch::not_started;
            continue;
        }
        const bool known = device.empty() || std::ranges::find(b->devices, device) != b->devices.end();
        if (!known && b->recovery <= 0) {
            best = watch::no_activation;
            continue;
        }
        if (!known && spend) {
            b->devices.emplace_back(device);
            --b->recovery;
        }
        return watch::plays;
    }
    return best;
}

} // namespace coursegate::sandbox
