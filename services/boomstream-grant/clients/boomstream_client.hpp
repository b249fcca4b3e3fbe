// Boomstream's ppv API: POST with a JSON body and the key in the Authorization header, so that neither key,
// e-mail nor code stands in a URL or in anybody's access log. `ver` is pinned to 1.2: the newest documented
// one and the one that the official SDK sends; 1.0 is the default and may change under us.
//
// The answer is never logged: it echoes the key.
#pragma once

#include "clients/video_provider.hpp"
#include "coursegate/http/client.hpp"

#include <chrono>
#include <string>

namespace coursegate::boomstream_grant {

struct boomstream_settings
{
    std::string url = "https://boomstream.com";
    std::string play_url = "https://play.boomstream.com";
    std::chrono::milliseconds deadline{10'000}; // of one call
};

// Calls may run at the same time; `web` must outlive it. Rate and concurrency are the caller's business.
class boomstream_client final : public video_provider
{
public:
    boomstream_client(http::client& web, boomstream_settings s);

    async::task<answer<granted>> grant(access a) override;
    async::task<answer<granted>> extend(access a) override;
    async::task<answer<void>> revoke(
        base::secret api_key, std::string subscription, base::secret hash) override;
    async::task<answer<std::vector<listed_buyer>>> list(
        base::secret api_key, std::string subscription) override;
    base::secret playback_link(const std::string& media, const base::secret& hash) const override;
    std::string circuit() const override;

private:
    // One POST. `body` is JSON without the parts every call has.
    async::task<answer<http::client_response>> post(
        std::string method, base::secret api_key, std::string body, std::size_t max_response_bytes);
    async::task<answer<granted>> put_buyer(std::string method, access a);

    http::client& web_;
    boomstream_settings settings_;
};

} // namespace coursegate::boomstream_grant
