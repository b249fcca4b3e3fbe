#include "handlers/page.hpp"

#include "handlers/embedded.hpp"

namespace coursegate::sandbox {

std::vector<http::route> page_routes()
{
    struct file
    {
        const char* route;
        const char* name;
        const char* content_type;
    };
    static constexpr file files[] = {
        {"/", "page/index.html", "text/html; charset=utf-8"},
        {"/page/page.css", "page/page.css", "text/css; charset=utf-8"},
        {"/page/page.js", "page/page.js", "text/javascript; charset=utf-8"},
        {"/page/icon.svg", "page/icon.svg", "image/svg+xml"},
        {"/page/player.css", "page/player.css", "text/css; charset=utf-8"},
        {"/page/player.js", "page/player.js", "text/javascript; charset=utf-8"},
    };
    std::vector<http::route> out;
    for (const auto& f : files) {
        out.push_back(
            {"GET", f.route, [&f](http::request&) -> async::task<http::response> {
                 auto answer = http::response::text(200, std::string(embedded(f.name)), f.content_type);
                 answer.headers.set("Cache-Control", "no-cache");
                 answer.headers.set("X-Content-Type-Options", "nosniff");
                 answer.headers.set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'");
                 co_return answer;
             }});
    }
    return out;
}

} // namespace coursegate::sandbox
