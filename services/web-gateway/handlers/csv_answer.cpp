#include "handlers/csv_answer.hpp"

namespace coursegate::web_gateway {
namespace {

http::response file_answer(const std::string& file)
{
    http::response out;
    out.headers.set("Content-Type", "text/csv; charset=utf-8");
    out.headers.set("Content-Disposition", "attachment; filename=\"" + file + "\"");
    return out;
}

} // namespace

http::response csv_answer(const std::string& file, std::string content)
{
    auto out = file_answer(file);
    out.body = csv_writer::beginning() + std::move(content);
    return out;
}

http::response csv_stream(const std::string& file, std::function<csv_pieces()> begin)
{
    auto out = file_answer(file);
    out.stream = [begin = std::move(begin)](http::stream_writer& to) -> async::task<void> {
        const auto more = begin();
        auto bytes = csv_writer::beginning();
        bool there = co_await to.write(bytes);
        while (there) {
            const auto piece = co_await more();
            if (!piece)
                co_return;
            there = co_await to.write(*piece);
        }
    };
    return out;
}

} // namespace coursegate::web_gateway
