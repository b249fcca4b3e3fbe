// Beast's parser, filling our own values directly: no container of fields in between, bodies copied once.
#pragma once

#include "coursegate/http/message.hpp"

#include <boost/beast/core/string_type.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <string>
#include <string_view>

namespace coursegate::http {

// What both directions have in common. Body bytes go to body_bytes(), which may refuse them with an error
// code.
template <bool IsRequest>
class message_parser : public boost::beast::http::basic_parser<IsRequest>
{
public:
    using error_code = boost::beast::error_code;
    using text = boost::beast::string_view;

    explicit message_parser(http::headers& into) : headers_(into) {}

protected:
    virtual void body_bytes(std::string_view bytes, error_code& ec) = 0;
    virtual void field(std::string_view, std::string_view, error_code&) {}

private:
    void on_request_impl(
        boost::beast::http::verb, text method, text target, int version, error_code& ec) override
    {
        start_line(method, target, version, 0, ec);
    }
    void on_response_impl(int status, text, int version, error_code& ec) override
    {
        start_line({}, {}, version, status, ec);
    }
    virtual void start_line(
        std::string_view method, std::string_view target, int version, int status, error_code& ec) = 0;

    void on_field_impl(boost::beast::http::field, text name, text value, error_code& ec) override
    {
        // Fields after the body (chunk trailers) are nobody's: taken as headers they could replace what was
        // decided on.
        if (in_body_)
            return;
        headers_.add(std::string(name), std::string(value));
        field(name, value, ec);
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override { in_body_ = true; }
    std::size_t on_body_impl(text bytes, error_code& ec) override
    {
        body_bytes(bytes, ec);
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, text bytes, error_code& ec) override
    {
        body_bytes(bytes, ec);
        return bytes.size();
    }
    void on_finish_impl(error_code&) override {}

    http::headers& headers_;
    bool in_body_ = false;
};

} // namespace coursegate::http
