// Boomstream, asked with an author's API key: is the key good, and what is in a subscription? Only reads:
// opening and closing is boomstream-grant's.
#pragma once

#include "domain/course_check.hpp"

#include "coursegate/async/task.hpp"
#include "coursegate/base/secret.hpp"
#include "coursegate/http/client.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct boomstream_video
{
    std::string code;
    std::string title;
};

struct subscription_view
{
    std::optional<course_fault> fault{};
    // Empty: Boomstream did not give a list that we can read.
    std::optional<std::vector<boomstream_video>> videos{};
    std::string kind; // "group", "single"; empty: Boomstream does not say
};

// Lives on one executor. Boomstream's raw answers may hold the key: nothing of them is logged or shown.
class boomstream_project
{
public:
    boomstream_project(http::client& web, std::string url) : web_(web), url_(std::move(url)) {}

    // The key alone.
    async::task<std::optional<course_fault>> look(base::secret api_key);

    // The videos of a subscription.
    async::task<subscription_view> videos(
        base::secret api_key, std::string subscription, std::chrono::milliseconds deadline);

    // Its videos, and whether its codes open one video or all.
    async::task<subscription_view> look(base::secret api_key, std::string subscription);

private:
    async::task<base::result<http::client_response>> post(std::string method, base::secret api_key,
        std::optional<std::string> subscription, std::chrono::milliseconds deadline);

    http::client& web_;
    std::string url_; // https://boomstream.com
};

} // namespace coursegate::web_gateway
