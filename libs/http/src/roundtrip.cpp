#include "roundtrip.hpp"

#include "parser.hpp"
#include "text.hpp"
#include "watchdog.hpp"

#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace coursegate::http {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using boost::system::error_code;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t header_limit = 32 * 1024;
constexpr std::size_t read_size = 64 * 1024;
constexpr std::size_t direct_read_size = 256 * 1024;

class answer_parser final : public message_parser<false>
{
public:
    explicit answer_parser(answer& a) : message_parser(a.headers), answer_(a)
    {
        header_limit(http::header_limit);
        body_limit(boost::none); // the answer decides: what is compressed counts by its real size
    }

    answer::verdict verdict = answer::verdict::go_on;

private:
    void start_line(std::string_view, std::string_view, int, int status, error_code&) override
    {
        answer_.status = status;
    }
    void body_bytes(std::string_view bytes, error_code&) override
    {
        if (verdict == answer::verdict::go_on)
            verdict = answer_.take(bytes);
    }

    answer& answer_;
};

std::string head(const url& where, const client_request& r, const std::string& user_agent, bool allow_gzip)
{
    std::string out;
    out.reserve(512 + where.target.size());
    fmt::format_to(
        std::back_inserter(out), "{} {} HTTP/1.1\r\nHost: {}\r\n", r.method, where.target, where.authority());
    const auto unless_given = [&](std::string_view name, std::string_view value) {
        if (!r.headers.has(name))
            fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
    };
    unless_given("User-Agent", user_agent);
    unless_given("Accept", "*/*");
    fmt::format_to(std::back_inserter(out), "Accept-Encoding: {}\r\n", allow_gzip ? "gzip" : "identity");
    for (const auto& [name, value] : r.headers.all()) {
        // How the message is framed, and to whom it goes, is ours to say.
        if (equal_without_case(name, "Host") || equal_without_case(name, "Content-Length") ||
            equal_without_case(name, "Transfer-Encoding") || equal_without_case(name, "Connection") ||
            equal_without_case(name, "Accept-Encoding"))
            continue;
        fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
    }
    if (!r.body.empty() || r.method == "POST" || r.method == "PUT" || r.method == "PATCH")
        fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", r.body.size());
    out += "\r\n";
    return out;
}

// A cancelled caller is no outcome of the request.
void rethrow_cancellation(const error_code& ec, bool has_cut)
{
    if (ec == asio::error::operation_aborted && !has_cut)
        throw boost::system::system_error(ec);
}

// Our answer to a verdict that isn't go_on; false when the exchange goes on to its end.
void conclude(roundtrip& out, answer::verdict v)
{
    out.can_be_kept = false;
    if (v == answer::verdict::too_large) {
        out.failure = errc::too_large;
        out.detail = "the answer is larger than allowed";
    }
    else if (v == answer::verdict::bad_coding) {
        out.failure = errc::bad_answer;
        out.detail = "the answer's content coding is broken, cut or unknown";
    }
}

} // namespace

async::task<roundtrip> exchange(const async::executor& ex, std::shared_ptr<transport> connection,
    const url& where, const client_request& request, const std::string& user_agent, bool allow_gzip,
    timing limits, answer& into)
{
    roundtrip out;
    // Closing ends whatever waits on the connection with an error.
    time_limit deadline(ex, limits.deadline, [connection] { connection->close(); });
    const auto lost = [&](const error_code& ec, const char* when) {
        rethrow_cancellation(ec, deadline.has_cut());
        out.overdue = deadline.has_cut();
        out.failure = out.went_out ? errc::unknown_outcome : out.overdue ? errc::deadline : errc::not_sent;
        out.detail = out.overdue ? fmt::format("the deadline passed {}", when)
                                 : fmt::format("the connection was lost {} ({})", when, ec.message());
    };

    {
        const auto top = head(where, request, user_agent, allow_gzip);
        const pieces what = {piece(top), piece(request.body), {}};
        std::size_t written = 0;
        const auto ec = co_await connection->write(what, written);
        out.went_out = written > 0;
        if (ec) {
            lost(ec, "while the request was written");
            co_return out;
        }
    }

    std::optional<answer_parser> parser(std::in_place, into);
    parser->skip(request.method == "HEAD");
    boost::beast::flat_buffer buffer(std::max(header_limit, read_size) + 4 * 1024);
    bool head_seen = false;
    for (;;) {
        bool need_more = true;
        if (buffer.size() > 0) {
            error_code ec;
            const auto used = parser->put(buffer.data(), ec);
            buffer.consume(used);
            need_more = ec == beast_http::error::need_more || buffer.size() == 0;
            if (ec && ec != beast_http::error::need_more) {
                out.failure = errc::bad_answer;
                out.detail = "the answer is not HTTP (" + ec.message() + ")";
                co_return out;
            }
            if (parser->verdict != answer::verdict::go_on) {
                conclude(out, parser->verdict);
                co_return out;
            }
            if (!head_seen && parser->is_header_done()) {
                if (into.status == 101) {
                    out.failure = errc::bad_answer;
                    out.detail = "the answer changes the protocol, which nobody asked for";
                    co_return out;
                }
                if (into.status / 100 == 1) { // a word in between; the answer is still to come
                    into.headers = {};
                    parser.emplace(into);
                    parser->skip(request.method == "HEAD");
                    continue;
                }
                head_seen = true;
                std::optional<std::uint64_t> length;
                if (!parser->chunked() && parser->content_length())
                    length = *parser->content_length();
                const bool has_body = !parser->is_done();
                const auto verdict = into.begin(has_body ? length : std::optional<std::uint64_t>(0));
                if (verdict != answer::verdict::go_on) {
                    conclude(out, verdict);
                    co_return out;
                }
                auto* body = has_body && length ? into.direct() : nullptr;
                if (body) {
                    // The common large answer: from the socket straight to where it stays.
                    const auto wanted = static_cast<std::size_t>(*length);
                    const auto here = std::min(wanted, buffer.size());
                    body->assign(static_cast<const char*>(buffer.data().data()), here);
                    buffer.consume(here);
                    // Room is made by zeros, so each byte of it only once, however little a read brings; not
                    // all at once, because a length is only a promise.
                    auto filled = here;
                    while (filled < wanted) {
                        if (filled == body->size())
                            body->resize(filled + std::min(wanted - filled, direct_read_size));
                        const asio::mutable_buffer space(body->data() + filled, body->size() - filled);
                        filled += co_await connection->read_some(space, ec);
                        if (ec && filled < wanted) {
                            body->resize(filled);
                            lost(ec, "before the answer was whole");
                            co_return out;
                        }
                        if (limits.silence)
                            deadline.move(steady_clock::now() + *limits.silence);
                    }
                    break;
                }
            }
            if (parser->is_done())
                break;
        }
        if (!need_more)
            continue;

        const auto room = buffer.max_size() - buffer.size();
        if (room == 0) {
            out.failure = errc::bad_answer;
            out.detail = "a header, chunk head or trailer of the answer is too long";
            co_return out;
        }
        const auto space = buffer.prepare(std::min(room, read_size));
        error_code ec;
        const auto count = co_await connection->read_some(space, ec);
        buffer.commit(count);
        out.came_back = out.came_back || count > 0;
        if (limits.silence && count > 0)
            deadline.move(steady_clock::now() + *limits.silence);
        if (ec && count == 0) {
            error_code end;
            if (ec == asio::error::eof && head_seen && parser->need_eof()) {
                parser->put_eof(end);
                break;
            }
            lost(ec, out.came_back ? "before the answer was whole" : "before an answer came");
            co_return out;
        }
    }
    out.last_byte_at = steady_clock::now();
    out.can_be_kept = parser->keep_alive() && buffer.size() == 0 && !deadline.has_cut();
    if (const auto verdict = into.finish(); verdict != answer::verdict::go_on)
        conclude(out, verdict);
    co_return out;
}

} // namespace coursegate::http
